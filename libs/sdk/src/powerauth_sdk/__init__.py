"""A PowerAuth device: activation, signatures, tokens and operations over HTTP."""
