"""Operation templates and localised operation texts."""
