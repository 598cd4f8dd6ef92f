"""What the service tells about itself (spec/push-api.md §18)."""
