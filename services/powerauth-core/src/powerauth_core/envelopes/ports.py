"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.activations.ports import WithActivationKeys
from powerauth_core.applications.ports import WithApplications
from powerauth_core.envelopes.spending import EnvelopeSpending
from powerauth_core.kernel.ports import WithCipher, WithDatabase, WithSettings
from powerauth_core.temporary_keys.ports import WithTemporaryKeys


class WithEnvelopeSpending(Protocol):
    """Has `envelope_spending`."""

    @property
    def envelope_spending(self) -> EnvelopeSpending: ...


class Ports(
    WithDatabase, WithSettings, WithCipher, WithApplications, WithActivationKeys, WithTemporaryKeys, Protocol
):
    """What use cases of this room take."""


class HandoutPorts(Ports, WithEnvelopeSpending, Protocol):
    """What handing out keys takes."""
