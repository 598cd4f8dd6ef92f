"""PowerAuth cryptography and wire formats, both sides, without I/O."""
