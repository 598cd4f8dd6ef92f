"""Whether the configured master key is the one that this database was written with (D5, D32)."""
