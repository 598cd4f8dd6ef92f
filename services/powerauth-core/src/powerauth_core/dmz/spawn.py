"""``signed/spawn``: an active device asks for an activation code for another one (D1 rule 4,
spec/device-trust.md §5.1). The request is signed, then encrypted, and passes the enrollment service closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import PydanticCustomError
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations.initialisation import hash_otp
from powerauth_core.activations.rules import is_blank
from powerauth_core.dmz import actions, signed
from powerauth_core.dmz.headers import signature_header
from powerauth_core.dmz.schemas import REQUEST_INVALID, EnvelopeActionAnswer, RequestRefusal, SignedRequest
from powerauth_core.envelopes import handout
from powerauth_core.envelopes.service import Opened, open_envelope
from powerauth_core.errors import CoreError
from powerauth_core.signatures.jobs import LockedActivation
from powerauth_core.signatures.rules import Decision
from powerauth_core.transfers.service import OpenedTransfer, open_transfer
from powerauth_protocol.ecies import EciesRequest, SharedInfo1
from powerauth_protocol.http_headers import SignatureHeader
from powerauth_protocol.scope import Scope
from powerauth_protocol.versions import ProtocolVersion
from servicekit.wire import ExactText, ObjectRequest, ObjectResponse, RequestModel, WireModel, to_json

if TYPE_CHECKING:
    from powerauth_core.container import Core

OTP_LENGTH = 16
_LONGEST_OTP = 255
TransferRefusal = Literal["TRANSFER_REFUSED"]
TRANSFER_REFUSED: TransferRefusal = "TRANSFER_REFUSED"


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


class SpawnAnswer(EnvelopeActionAnswer):
    """The sealed code, or why the signed request is not carried out."""

    refusal: RequestRefusal | TransferRefusal | None = None


class Spawn(signed.DoorAction):
    """Opens the activation that the signed plaintext asks for."""

    def __init__(self, core: Core, wanted: SpawnBody | None, otp_hash: str | None) -> None:
        """
        :param wanted: None if the plaintext is unusable
        """
        self.core = core
        self.wanted = wanted
        self.otp_hash = otp_hash

    async def accepted(
        self, session: AsyncSession, activation: LockedActivation, decision: Decision
    ) -> OpenedTransfer | RequestRefusal | TransferRefusal:
        """The code, or the reason why there is none."""
        if self.wanted is None or self.otp_hash is None:
            return REQUEST_INVALID
        transfer = await open_transfer(
            self.core, session, activation, self.wanted.application_id, self.otp_hash
        )
        return TRANSFER_REFUSED if transfer is None else transfer


async def spawn(core: Core, request: SignedRequest) -> SpawnAnswer:
    """``signed/spawn``; `body` is the envelope of the generic activation scope, as the device sent it.

    An envelope that does not open is answered like a wrong signature and nothing is counted: there is no
    plaintext that the signature could cover (spec/enrollment-api.md §4.5).

    :raises InvalidRequest: the body is no envelope of the header's version
    :raises CoreError: the new activation cannot be started
    """
    header, body = signature_header(request.header), signed.read_body(request)
    if header is None:
        return SpawnAnswer(authenticated=False)
    version = ProtocolVersion.parse(header.version)
    if not version.associated_data:
        # Before 3.2 an envelope is not bound to its sender and can be replayed.
        return SpawnAnswer(authenticated=False)
    opened = await _open(core, header, signed.read_signed_envelope(body, version))
    if opened is None:
        return SpawnAnswer(authenticated=False)
    wanted = _parsed(opened.plaintext)
    otp = None if wanted is None else wanted.otp
    action = Spawn(core, wanted, await hash_otp(core.hashes, header.activation_id, otp))
    verified = await signed.check(core, header, opened.plaintext, actions.SPAWN, action)
    if verified is None or not verified.valid:
        return SpawnAnswer(authenticated=False)
    answer: OpenedTransfer | RequestRefusal | TransferRefusal = verified.answer
    if not isinstance(answer, OpenedTransfer):
        return SpawnAnswer(authenticated=True, refusal=answer)
    spawned = SpawnedActivation(
        activation_id=answer.activation_id,
        activation_code=answer.activation_code,
        activation_signature=answer.activation_signature,
    )
    envelope = opened.seal(to_json(ObjectResponse(response_object=spawned)))
    return SpawnAnswer(authenticated=True, envelope=envelope)


async def _open(core: Core, header: SignatureHeader, env: EciesRequest) -> Opened | None:
    """Decrypt the request and remember it: keys are never handed out for what is opened here, nor opened here
    what keys were handed out for.
    """
    try:
        async with core.database.transaction() as session:
            activation = await handout.usable_activation(session, header.activation_id)
            application = await handout.usable_application(core, session, header.application_key, activation)
            return await open_envelope(
                core,
                session,
                scope=Scope.ACTIVATION,
                sh1=SharedInfo1.ACTIVATION_GENERIC,
                env=env,
                application=application,
                activation=activation,
                version=ProtocolVersion.parse(header.version),
            )
    except CoreError:
        return None


def _parsed(plaintext: bytes) -> SpawnBody | None:
    try:
        return ObjectRequest[SpawnBody].model_validate_json(plaintext).request_object
    except ValidationError:
        return None
