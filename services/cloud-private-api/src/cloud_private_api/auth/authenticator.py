"""What every way of telling who calls has in common."""

from __future__ import annotations

from typing import Protocol

from cloud_private_api.access.rules import Caller
from cloud_private_api.auth.login import Login


class Authenticator(Protocol):
    """Tells who calls."""

    challenge: str
    """``WWW-Authenticate`` of a 401."""

    async def authenticate(self, login: Login) -> Caller:
        """The caller behind an ``Authorization`` header.

        :raises Unauthorized: for whatever reason
        :raises TooManyRequests: too many attempts
        """

    async def close(self) -> None:
        """Let go of what it holds."""
