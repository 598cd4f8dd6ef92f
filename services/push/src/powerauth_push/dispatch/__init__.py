"""The queue of messages, and their way to the providers (spec/push-api.md §8, §20)."""
