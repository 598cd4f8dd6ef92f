"""What this room uses of a running service."""

from __future__ import annotations

from typing import Protocol

from powerauth_push.applications.ports import WithApplications
from powerauth_push.dispatch.dispatcher import Dispatcher
from powerauth_push.parts import WithDatabase, WithSettings


class WithDispatcher(Protocol):
    """Has `dispatcher`."""

    @property
    def dispatcher(self) -> Dispatcher: ...


class Ports(WithDatabase, WithSettings, WithApplications, WithDispatcher, Protocol):
    """What use cases of this room take."""
