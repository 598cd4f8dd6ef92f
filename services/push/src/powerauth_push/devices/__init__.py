"""Registrations of devices (spec/push-api.md §6)."""
