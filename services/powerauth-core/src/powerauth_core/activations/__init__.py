"""Activations: their life cycle, flags, history and keys (spec/core-api.md §7, §22)."""
