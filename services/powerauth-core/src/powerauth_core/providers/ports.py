"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.applications.ports import WithApplications
from powerauth_core.kernel.ports import WithCipher, WithDatabase, WithEgress, WithSettings
from powerauth_core.providers.discovery import DiscoveryCache


class WithDiscovery(Protocol):
    """Has `discovery`."""

    @property
    def discovery(self) -> DiscoveryCache: ...


class Ports(WithDatabase, WithSettings, WithCipher, WithEgress, WithApplications, WithDiscovery, Protocol):
    """What use cases of this room take."""
