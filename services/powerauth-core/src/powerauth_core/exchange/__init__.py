"""The key exchange: how a device joins an activation."""
