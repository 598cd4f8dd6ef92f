"""Activations that an activated device opens for another application or another phone (device-trust §5)."""
