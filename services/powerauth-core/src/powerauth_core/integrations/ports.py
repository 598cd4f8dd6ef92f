"""What this room uses of a running core."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import Depends

from powerauth_core.integrations.callers import CallerCache
from powerauth_core.kernel.ports import WithCipher, WithDatabase, WithSettings, running


class WithCallers(Protocol):
    """Has `callers`."""

    @property
    def callers(self) -> CallerCache: ...


class Ports(WithDatabase, WithSettings, WithCipher, WithCallers, Protocol):
    """What use cases of this room take."""


Running = Annotated[Ports, Depends(running)]
"""Parameter type of a route."""
