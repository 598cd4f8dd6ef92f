"""Protocol upgrade of version 2 activations (spec/core-api.md §14)."""
