"""Registration of passkeys, and operations that they approve."""
