"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.activations.ports import WithActivationKeys, WithChanges
from powerauth_core.applications.ports import WithApplications
from powerauth_core.kernel.ports import WithCipher, WithDatabase, WithHashes, WithSettings
from powerauth_core.temporary_keys.ports import WithTemporaryKeys


class Ports(
    WithDatabase,
    WithSettings,
    WithCipher,
    WithHashes,
    WithChanges,
    WithApplications,
    WithActivationKeys,
    WithTemporaryKeys,
    Protocol,
):
    """What use cases of this room take."""
