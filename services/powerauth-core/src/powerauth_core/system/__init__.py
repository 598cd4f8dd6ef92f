"""Service status and the error list."""
