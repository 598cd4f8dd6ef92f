"""The hash chains of the signature audit: every row is bound to the one before it by a secret key."""
