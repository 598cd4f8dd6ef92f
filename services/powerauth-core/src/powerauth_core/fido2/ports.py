"""What this room uses of a running core."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from powerauth_core.activations.ports import Ports as ActivationPorts
from powerauth_core.activations.ports import WithActivationWriter, WithChanges
from powerauth_core.fido2.authenticators import AuthenticatorModels
from powerauth_core.fido_metadata.ports import WithFidoMetadata
from powerauth_core.operations.ports import CreationPorts
from powerauth_core.passkey_policies.ports import WithPasskeyPolicies

if TYPE_CHECKING:
    from powerauth_core.fido2.writing import SignInWriter


class WithSignIns(Protocol):
    """Has `sign_in_writer`."""

    @property
    def sign_in_writer(self) -> SignInWriter: ...


class WithModels(Protocol):
    """Has `authenticator_models`."""

    @property
    def authenticator_models(self) -> AuthenticatorModels: ...


class Ports(
    ActivationPorts,
    CreationPorts,
    WithActivationWriter,
    WithChanges,
    WithFidoMetadata,
    WithModels,
    WithPasskeyPolicies,
    WithSignIns,
    Protocol,
):
    """What use cases of this room take."""
