"""Audit: what the core recorded about users, and what this service records itself."""
