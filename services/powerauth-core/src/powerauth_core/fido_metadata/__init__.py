"""FIDO metadata and the data files of passkeys: what vouches for models of authenticators."""
