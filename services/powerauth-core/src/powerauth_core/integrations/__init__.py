"""Callers of the core and their authentication."""
