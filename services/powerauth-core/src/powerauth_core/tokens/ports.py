"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.activations.ports import WithActivationKeys
from powerauth_core.applications.ports import WithApplications
from powerauth_core.kernel.ports import WithCipher, WithDatabase, WithSettings
from powerauth_core.temporary_keys.ports import WithTemporaryKeys
from powerauth_core.tokens.validator import TokenValidator


class WithTokenValidator(Protocol):
    """Has `token_validator`."""

    @property
    def token_validator(self) -> TokenValidator: ...


class Ports(
    WithDatabase,
    WithSettings,
    WithCipher,
    WithApplications,
    WithActivationKeys,
    WithTokenValidator,
    WithTemporaryKeys,
    Protocol,
):
    """What use cases of this room take."""
