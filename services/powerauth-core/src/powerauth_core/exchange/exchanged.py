"""A finished key exchange."""

from __future__ import annotations

from dataclasses import dataclass, field

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.activations.stored import AnyActivation
from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.envelopes.service import Sealed


# A value, never changed. Not frozen: that makes it five times as dear.
@dataclass(slots=True)
class Exchanged:
    """A finished key exchange.

    :ivar sealed: layer 2 of the answer
    :ivar activation_status: the state after it
    """

    sealed: Sealed = field(repr=False)
    activation_id: str
    user_id: str
    application_id: str
    activation_status: ActivationStatus

    @classmethod
    def of(cls, activation: AnyActivation, application: ApplicationFacts, sealed: Sealed) -> Exchanged:
        """That of an activation as it is now."""
        return cls(
            sealed,
            activation.activation_id,
            activation.user_id,
            application.application_id,
            activation.activation_status,
        )
