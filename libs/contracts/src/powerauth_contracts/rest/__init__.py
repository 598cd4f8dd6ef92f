"""The contract of the core's REST door (spec/core-api.md)."""
