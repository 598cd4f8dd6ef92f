"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.audit.chain.keys import ChainKeys
from powerauth_core.kernel.ports import WithDatabase, WithReading, WithSettings


class Ports(WithDatabase, WithReading, WithSettings, Protocol):
    """What use cases of this room take."""

    @property
    def chain_keys(self) -> ChainKeys | None: ...
