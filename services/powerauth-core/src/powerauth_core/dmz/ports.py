"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.envelopes.ports import WithEnvelopeSpending
from powerauth_core.kernel.ports import WithEgress
from powerauth_core.passkey_sessions.ports import Ports as PasskeyPorts
from powerauth_core.providers.ports import WithDiscovery
from powerauth_core.temporary_keys.ports import WithTemporaryKeys
from powerauth_core.tokens.ports import WithTokenValidator
from powerauth_core.verification.ports import WithVerifier


class Ports(
    PasskeyPorts,
    WithEgress,
    WithDiscovery,
    WithVerifier,
    WithTokenValidator,
    WithTemporaryKeys,
    WithEnvelopeSpending,
    Protocol,
):
    """What use cases of this room take."""
