"""Callers of this service and their authentication."""
