"""Offline approval in the single-device view, version 1 of the API."""
