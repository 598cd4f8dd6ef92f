"""Localised texts of operations: lookup, placeholders, attributes, screens (spec/enrollment-api.md §11)."""
