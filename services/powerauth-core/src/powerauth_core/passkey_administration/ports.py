"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.activations.ports import WithChanges
from powerauth_core.applications.ports import WithApplications
from powerauth_core.fido_metadata.ports import WithFidoMetadata
from powerauth_core.kernel.ports import WithCipher, WithDatabase, WithRowMacs, WithSettings
from powerauth_core.passkey_policies.ports import WithPasskeyPolicies


class CountingPorts(WithDatabase, WithRowMacs, Protocol):
    """What counting takes."""


class Ports(
    CountingPorts,
    WithSettings,
    WithCipher,
    WithApplications,
    WithChanges,
    WithFidoMetadata,
    WithPasskeyPolicies,
    Protocol,
):
    """What use cases of this room take."""
