"""The master keys that the database was written with (D34)."""
