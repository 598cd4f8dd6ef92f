"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.applications.ports import WithApplications
from powerauth_core.jwt.keys import JwtKeys
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


class Ports(
    WithDatabase,
    WithSettings,
    WithCipher,
    WithRowMacs,
    WithHashes,
    WithApplications,
    WithTemplates,
    WithJwtKeys,
    Protocol,
):
    """What use cases of this room take."""
