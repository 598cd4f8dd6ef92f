"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.applications.ports import WithApplications
from powerauth_core.kernel.ports import WithDatabase


class Ports(WithDatabase, WithApplications, Protocol):
    """What use cases of this room take."""
