"""Registrations: many devices per user (``/v2``) and the single-device view of version 1."""
