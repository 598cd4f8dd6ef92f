"""What this room uses of a running core."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.applications.ports import WithApplications
from powerauth_core.jwt.keys import JwtKeys
from powerauth_core.jwt.models import JwtSession
from powerauth_core.jwt.proved_secrets import ProvedSecrets
from powerauth_core.kernel.ports import (
    WithCipher,
    WithDatabase,
    WithHashes,
    WithRowMacs,
    WithSettings,
)
from powerauth_core.templates.ports import WithTemplates


class WithJwtKeys(Protocol):
    """Has `jwt_keys`."""

    @property
    def jwt_keys(self) -> JwtKeys: ...


class WithProvedSecrets(Protocol):
    """Has `proved_secrets`."""

    @property
    def proved_secrets(self) -> ProvedSecrets: ...


SessionCheck = Callable[[AsyncSession, JwtSession], Awaitable[bool]]
"""Whether tokens may be issued for a sign-in again, as another room knows it."""


class WithSessionChecks(Protocol):
    """Has `session_checks`."""

    @property
    def session_checks(self) -> Sequence[SessionCheck]: ...


class Ports(
    WithDatabase,
    WithSettings,
    WithCipher,
    WithRowMacs,
    WithHashes,
    WithApplications,
    WithTemplates,
    WithJwtKeys,
    WithProvedSecrets,
    WithSessionChecks,
    Protocol,
):
    """What use cases of this room take."""
