"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.applications.cache import ApplicationCache
from powerauth_core.kernel.ports import WithCipher, WithDatabase, WithEgress, WithSettings


class WithApplications(Protocol):
    """Has `application_cache`."""

    @property
    def application_cache(self) -> ApplicationCache: ...


class Ports(WithDatabase, WithSettings, WithCipher, WithEgress, WithApplications, Protocol):
    """What use cases of this room take."""
