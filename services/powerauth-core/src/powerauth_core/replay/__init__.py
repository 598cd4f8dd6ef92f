"""Replay protection (spec/core-api.md §15)."""
