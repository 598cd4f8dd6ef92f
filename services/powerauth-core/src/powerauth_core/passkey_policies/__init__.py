"""What applications say about passkeys: the policy ``webauthn_api`` and the original's keys."""
