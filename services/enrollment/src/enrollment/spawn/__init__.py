"""Activation codes that an active device asks for (spec/device-trust.md §5); off by default."""
