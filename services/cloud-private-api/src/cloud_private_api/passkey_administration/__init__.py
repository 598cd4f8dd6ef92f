"""Login preferences and passkeys of users."""
