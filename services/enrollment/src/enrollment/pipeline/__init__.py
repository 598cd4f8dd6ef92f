"""What every request goes through before its endpoint (spec/enrollment-api.md §4)."""
