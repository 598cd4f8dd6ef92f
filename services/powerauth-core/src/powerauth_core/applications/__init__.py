"""Applications, versions, roles and configuration."""
