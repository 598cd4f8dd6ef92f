"""The private API that bank backends call."""
