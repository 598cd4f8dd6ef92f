"""Passkeys for browsers (spec/device-trust.md §4.9)."""
