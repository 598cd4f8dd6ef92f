"""End-to-end encrypted envelopes and the keys that open them (spec/core-api.md §2.2, §12)."""
