"""Stored messages that users read in the app (spec/push-api.md §16)."""
