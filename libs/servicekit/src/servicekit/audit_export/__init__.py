"""The audit log for other systems: JSON lines of a known schema, by command or as a stream."""
