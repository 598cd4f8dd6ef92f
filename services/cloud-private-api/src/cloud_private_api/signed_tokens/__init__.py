"""Administration of the clients and keys of signed tokens."""
