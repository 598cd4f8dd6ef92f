"""The push service's door (spec/push-api.md)."""
