"""What serves every generation of the protocol."""
