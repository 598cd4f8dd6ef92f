"""Public configuration of identity providers (spec/enrollment-api.md §16)."""
