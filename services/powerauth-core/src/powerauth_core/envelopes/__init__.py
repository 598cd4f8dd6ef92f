"""Encrypted envelopes."""
