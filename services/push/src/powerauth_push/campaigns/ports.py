"""What this room uses of a running service."""

from __future__ import annotations

from typing import Protocol

from powerauth_push.campaigns.stream import CampaignStream
from powerauth_push.messages.ports import Ports as MessagePorts


class Ports(MessagePorts, Protocol):
    """What use cases of this room take."""

    @property
    def stream(self) -> CampaignStream: ...
