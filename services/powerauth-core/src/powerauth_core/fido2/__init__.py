"""Passkey authenticators."""
