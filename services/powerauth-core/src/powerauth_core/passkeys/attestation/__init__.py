"""Attestation: what a statement proves, and on whose word (spec/device-trust.md §4.10)."""
