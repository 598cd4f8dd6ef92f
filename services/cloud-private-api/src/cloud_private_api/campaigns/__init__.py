"""One message to many users."""
