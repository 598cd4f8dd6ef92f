"""Registration of a device for push messages (spec/enrollment-api.md §13)."""
