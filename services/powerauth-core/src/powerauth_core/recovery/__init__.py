"""Recovery codes and their configuration."""
