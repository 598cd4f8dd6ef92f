"""Looking again at the attestations of passkeys, as metadata changes."""
