"""Measurements: requests a second and latencies against a running server, and the database's limit."""
