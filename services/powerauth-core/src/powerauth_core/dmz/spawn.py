"""``sealed/spawn``: an active device asks for an activation code for another one (D1 rule 4,
spec/device-trust.md §5.1). The request is signed, then encrypted, and passes the enrollment service closed.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import PydanticCustomError
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.dmz.models import (
    REQUEST_INVALID,
    TRANSFER_REFUSED,
    RequestRefusal,
    SealedAnswer,
    SealedRequest,
    TransferRefusal,
)
from powerauth_contracts.dmz.table import SPAWN
from powerauth_contracts.wire import (
    ExactText,
    ObjectRequest,
    ObjectResponse,
    RequestModel,
    WireModel,
    to_json,
)
from powerauth_core.activations.initialisation import StartedActivation, hash_otp
from powerauth_core.activations.rules import is_blank
from powerauth_core.dmz import sealed
from powerauth_core.dmz.ports import Ports
from powerauth_core.dmz.sealed import PlaintextAction, Received
from powerauth_core.transfers.service import open_transfer
from powerauth_core.verification.jobs import Decision, LockedActivation
from powerauth_protocol.generation import generation_of

OTP_LENGTH = 16
_LONGEST_OTP = 255


def _not_blank(value: str) -> str:
    if is_blank(value):
        raise PydanticCustomError("blank", "must not be blank")
    return value


class SpawnBody(RequestModel):
    """The decrypted request: where to, and the password that the other device has to bring."""

    application_id: Annotated[ExactText, AfterValidator(_not_blank)]
    otp: Annotated[ExactText, AfterValidator(_not_blank)] = Field(
        min_length=OTP_LENGTH, max_length=_LONGEST_OTP, repr=False
    )


class SpawnedActivation(WireModel):
    """What the device gets, encrypted."""

    activation_id: str
    activation_code: str = Field(repr=False)
    activation_signature: str


class Spawn(PlaintextAction):
    """Opens the activation that the signed plaintext asks for."""

    def __init__(self, received: Received, wanted: SpawnBody | None, otp_hash: str | None) -> None:
        """
        :param wanted: None if the plaintext is unusable
        """
        super().__init__(received)
        self.wanted = wanted
        self.otp_hash = otp_hash

    async def accepted(
        self, session: AsyncSession, activation: LockedActivation, decision: Decision
    ) -> StartedActivation | RequestRefusal | TransferRefusal:
        """The code, or the reason why there is none."""
        if self.wanted is None or self.otp_hash is None:
            return REQUEST_INVALID
        transfer = await open_transfer(
            self.received.ports, session, activation, self.wanted.application_id, self.otp_hash
        )
        return TRANSFER_REFUSED if transfer is None else transfer


async def spawn(ports: Ports, request: SealedRequest) -> SealedAnswer:
    """``sealed/spawn``.

    :raises CoreError: the new activation cannot be started
    """
    header = sealed.authorization_of(request)
    if header is None or not generation_of(header.version).envelopes.bound_to_sender:
        # An envelope that is not bound to its sender can be replayed.
        return SealedAnswer(authenticated=False)

    async def action(received: Received) -> Spawn:
        wanted = _parsed(received.plaintext)
        otp = None if wanted is None else wanted.otp
        return Spawn(received, wanted, await hash_otp(ports.hashes, header.activation_id, otp))

    checked = await sealed.check_plaintext(ports, request, SPAWN.purpose, action)
    if checked is None:
        return SealedAnswer(authenticated=False)
    received, verified = checked
    answer: StartedActivation | RequestRefusal | TransferRefusal = verified.answer
    if not isinstance(answer, StartedActivation):
        return SealedAnswer(authenticated=True, refusal=answer)
    spawned = SpawnedActivation(
        activation_id=answer.activation_id,
        activation_code=answer.activation_code,
        activation_signature=answer.activation_signature,
    )
    envelope = received.seal(to_json(ObjectResponse(response_object=spawned)))
    return SealedAnswer(authenticated=True, envelope=envelope)


def _parsed(plaintext: bytes) -> SpawnBody | None:
    try:
        return ObjectRequest[SpawnBody].model_validate_json(plaintext).request_object
    except ValidationError:
        return None
