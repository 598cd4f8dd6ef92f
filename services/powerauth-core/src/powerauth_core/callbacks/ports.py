"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.callbacks.dispatcher import CallbackDispatcher
from powerauth_core.kernel.ports import WithCipher, WithDatabase, WithEgress, WithSettings


class WithCallbacks(Protocol):
    """Has `callbacks`."""

    @property
    def callbacks(self) -> CallbackDispatcher: ...


class Ports(WithDatabase, WithSettings, WithCipher, WithEgress, WithCallbacks, Protocol):
    """What use cases of this room take."""
