"""Sending of messages (spec/push-api.md §8, §9)."""
