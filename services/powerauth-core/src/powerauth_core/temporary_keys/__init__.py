"""Temporary keys (spec/core-api.md §13, spec/protocol-v3.md §6)."""
