"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.integrations.callers import CallerCache
from powerauth_core.kernel.ports import WithCipher, WithDatabase, WithSettings


class WithCallers(Protocol):
    """Has `callers`."""

    @property
    def callers(self) -> CallerCache: ...


class Ports(WithDatabase, WithSettings, WithCipher, WithCallers, Protocol):
    """What use cases of this room take."""
