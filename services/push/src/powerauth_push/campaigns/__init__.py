"""One message to many users (spec/push-api.md §15)."""
