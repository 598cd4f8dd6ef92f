"""What this room uses of a running core."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import Depends

from powerauth_core.applications.ports import WithApplications
from powerauth_core.kernel.ports import WithCipher, WithDatabase, WithEgress, WithSettings, running
from powerauth_core.providers.discovery import DiscoveryCache


class WithDiscovery(Protocol):
    """Has `discovery`."""

    @property
    def discovery(self) -> DiscoveryCache: ...


class Ports(WithDatabase, WithSettings, WithCipher, WithEgress, WithApplications, WithDiscovery, Protocol):
    """What use cases of this room take."""


Running = Annotated[Ports, Depends(running)]
"""Parameter type of a route."""
