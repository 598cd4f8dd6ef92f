"""Applications and their credentials at the push providers (spec/push-api.md §17)."""
