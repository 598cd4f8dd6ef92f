"""Verification of authentication codes, tokens and offline codes."""
