"""The generation of the protocol versions 3.0 to 3.3."""
