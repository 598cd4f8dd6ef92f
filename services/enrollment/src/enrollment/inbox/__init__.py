"""The inbox: stored messages read in the app, kept by the push service (spec/enrollment-api.md §14)."""
