"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.activations.ports import WithActivationKeys
from powerauth_core.applications.ports import WithApplications
from powerauth_core.kernel.ports import WithDatabase, WithRowMacs, WithSettings
from powerauth_core.temporary_keys.memory import TemporaryKeys


class WithTemporaryKeys(Protocol):
    """Has `temporary_keys`."""

    @property
    def temporary_keys(self) -> TemporaryKeys: ...


class Ports(
    WithDatabase, WithSettings, WithRowMacs, WithApplications, WithActivationKeys, WithTemporaryKeys, Protocol
):
    """What use cases of this room take."""
