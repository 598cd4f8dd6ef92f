"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.fido_metadata.ports import WithFidoMetadata
from powerauth_core.kernel.ports import WithDatabase, WithListeners, WithRowMacs, WithSettings
from powerauth_core.passkey_policies.ports import WithPasskeyPolicies


class Ports(
    WithDatabase, WithSettings, WithListeners, WithRowMacs, WithFidoMetadata, WithPasskeyPolicies, Protocol
):
    """What use cases of this room take."""
