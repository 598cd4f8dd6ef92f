"""The PowerAuth Standard RESTful API, version 3 (spec/enrollment-api.md §6)."""
