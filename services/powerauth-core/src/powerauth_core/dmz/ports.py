"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.activations.ports import WithActivationKeys, WithActivationWriter, WithChanges
from powerauth_core.applications.ports import WithApplications
from powerauth_core.envelopes.ports import WithEnvelopeSpending
from powerauth_core.kernel.ports import (
    WithCipher,
    WithDatabase,
    WithEgress,
    WithHashes,
    WithListeners,
    WithRowMacs,
    WithSettings,
)
from powerauth_core.providers.ports import WithDiscovery
from powerauth_core.temporary_keys.ports import WithTemporaryKeys
from powerauth_core.tokens.ports import WithTokenValidator
from powerauth_core.verification.ports import WithVerifier


class Ports(
    WithDatabase,
    WithSettings,
    WithCipher,
    WithRowMacs,
    WithHashes,
    WithEgress,
    WithListeners,
    WithChanges,
    WithApplications,
    WithActivationKeys,
    WithActivationWriter,
    WithDiscovery,
    WithVerifier,
    WithTokenValidator,
    WithTemporaryKeys,
    WithEnvelopeSpending,
    Protocol,
):
    """What use cases of this room take."""
