"""MAC tokens."""
