"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.activations.ports import WithActivationKeys
from powerauth_core.applications.ports import WithApplications
from powerauth_core.kernel.ports import WithCipher, WithDatabase, WithReading, WithSettings
from powerauth_core.verification.engine import Verifier


class WithVerifier(Protocol):
    """Has `verifier`."""

    @property
    def verifier(self) -> Verifier: ...


class Ports(
    WithDatabase,
    WithReading,
    WithSettings,
    WithCipher,
    WithApplications,
    WithActivationKeys,
    WithVerifier,
    Protocol,
):
    """What use cases of this room take."""
