"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.fido2.ports import Ports as Fido2Ports
from powerauth_core.jwt.ports import WithJwtKeys, WithProvedSecrets, WithSessionChecks


class Ports(Fido2Ports, WithJwtKeys, WithProvedSecrets, WithSessionChecks, Protocol):
    """What use cases of this room take."""
