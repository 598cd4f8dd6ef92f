"""The single-device view of operations: version 1 of the API."""
