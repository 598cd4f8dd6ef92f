"""Passkeys as values: ceremonies, attestation, classification, policy, metadata; no database, no HTTP."""
