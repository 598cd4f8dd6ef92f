"""Taking over a database of the original, release 1.9 or 1.10."""
