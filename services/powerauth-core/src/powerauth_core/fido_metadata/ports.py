"""What this room uses of a running core, and what it gives to others."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.fido_metadata.memory import FidoMetadata
from powerauth_core.kernel.ports import WithDatabase, WithSettings


class WithFidoMetadata(Protocol):
    """Has `fido_metadata`."""

    @property
    def fido_metadata(self) -> FidoMetadata: ...


class Ports(WithDatabase, WithSettings, WithFidoMetadata, Protocol):
    """What use cases of this room take."""
