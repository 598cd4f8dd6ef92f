"""Administration of applications, their versions, roles, configuration and identity providers."""
