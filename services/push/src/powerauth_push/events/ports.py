"""What this room uses of a running service."""

from __future__ import annotations

from typing import Protocol

from powerauth_push.messages.ports import Ports as MessagePorts
from powerauth_push.parts import WithCore


class Ports(MessagePorts, WithCore, Protocol):
    """What use cases of this room take."""
