"""First credentials: of the first administrator, and of callers of the core."""

from __future__ import annotations

import secrets

from argon2 import PasswordHasher

ADMINISTRATOR = "admin"


def new_password() -> str:
    """A random password of 24 characters."""
    return secrets.token_urlsafe(18)


def hashed_password(password: str) -> str:
    """The form in which the cloud service is seeded with a password: Argon2id."""
    return PasswordHasher().hash(password)
