"""What this room uses of a running service."""

from __future__ import annotations

from typing import Protocol

from powerauth_push.applications.ports import WithApplications
from powerauth_push.parts import WithDatabase


class Ports(WithDatabase, WithApplications, Protocol):
    """What use cases of this room take."""
