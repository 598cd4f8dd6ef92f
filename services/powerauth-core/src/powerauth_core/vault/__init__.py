"""Secure vault."""
