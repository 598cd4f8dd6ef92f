"""A passkey as it is stored, whoever reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.activations.stored import AnyActivation
from powerauth_core.passkey_records import extras as recorded
from powerauth_core.passkey_records.extras import Extras
from powerauth_core.passkeys.evaluation import StoredPasskey
from powerauth_protocol.common.encoding import b64decode


# A value, never changed. Not frozen: that makes it five times as dear, and jobs make a million.
@dataclass(slots=True)
class Passkey:
    """The activation of a passkey, and what its ``extras`` say.

    :ivar activation: as it was read, its times in naive UTC; an unsound one reads as BLOCKED
    :ivar application_id: public id of its application
    """

    activation: AnyActivation = field(repr=False)
    application_id: str
    extras: Extras

    @property
    def activation_id(self) -> str:
        """Id of the activation."""
        return self.activation.activation_id

    @property
    def user_id(self) -> str:
        """The bank's id of the user."""
        return self.activation.user_id

    @property
    def status(self) -> ActivationStatus:
        """State of the activation."""
        return self.activation.activation_status

    @property
    def credential_id(self) -> str:
        """Base64 of the credential id."""
        return self.activation.external_id or self.extras.credential_id

    @property
    def registered_at(self) -> datetime:
        """Moment of the registration; of passkeys of the original when it was asked for."""
        return self.extras.registered_at or self.activation.timestamp_created.replace(tzinfo=UTC)

    def is_of(self, user_handle: bytes) -> bool:
        """Whether an authenticator names its user so: by this core's handle, else by the bank's id."""
        known = self.extras.user_handle
        return user_handle == (self.user_id.encode() if known is None else b64decode(known))

    @property
    def stored(self) -> StoredPasskey:
        """What the policy decides on."""
        extras = self.extras
        return StoredPasskey(
            aaguid=extras.aaguid,
            registered_at=self.registered_at,
            backup_eligible=extras.be,
            trust=extras.att_trust,
            anchor=extras.att_anchor,
            vouched=extras.att_vouched,
        )


def passkey(activation: AnyActivation, application_id: str) -> Passkey | None:
    """The passkey of an activation; None if its ``extras`` can not be read."""
    extras = recorded.read(activation.extras)
    return None if extras is None else Passkey(activation, application_id, extras)
