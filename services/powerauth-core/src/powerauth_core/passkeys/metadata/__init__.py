"""FIDO metadata: what is known of authenticator models, from a signed BLOB (spec/device-trust.md §4.11)."""
