"""Recovery codes and postcards (spec/core-api.md §8)."""
