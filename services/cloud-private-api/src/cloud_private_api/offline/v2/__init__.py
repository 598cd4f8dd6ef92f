"""Offline approval in version 2 of the API: several devices of a user."""
