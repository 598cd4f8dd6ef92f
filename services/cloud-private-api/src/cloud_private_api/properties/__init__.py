"""Properties of the installation."""
