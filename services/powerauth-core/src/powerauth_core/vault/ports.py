"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.activations.ports import WithActivationKeys
from powerauth_core.applications.ports import WithApplications
from powerauth_core.kernel.ports import WithCipher, WithDatabase, WithSettings
from powerauth_core.temporary_keys.ports import WithTemporaryKeys
from powerauth_core.verification.ports import WithVerifier


class Ports(
    WithDatabase,
    WithSettings,
    WithCipher,
    WithApplications,
    WithActivationKeys,
    WithVerifier,
    WithTemporaryKeys,
    Protocol,
):
    """What use cases of this room take."""
