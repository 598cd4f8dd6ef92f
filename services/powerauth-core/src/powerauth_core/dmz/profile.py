"""What a device reads and changes of its own activation, under seal (spec/enrollment-api.md §6.6, §6.7,
§6.14).
"""

from __future__ import annotations

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.dmz.models import REQUEST_INVALID, SealedAnswer, SealedRequest
from powerauth_contracts.dmz.table import ACTIVATION_DETAIL, ACTIVATION_RENAME
from powerauth_contracts.wire import ObjectResponse, RequestModel, WireModel, json_bytes, to_json
from powerauth_core.activations import administration
from powerauth_core.dmz import sealed, signed
from powerauth_core.dmz.ports import Ports
from powerauth_core.dmz.sealed import PlaintextAction, Received
from powerauth_core.dmz.tokens import authenticate
from powerauth_core.kernel.errors import InvalidRequest
from powerauth_core.providers import plug_ins as providers
from powerauth_core.providers.plug_ins import ClaimsContext, Stage
from powerauth_core.verification.jobs import Decision, LockedActivation

MAX_NAME = 255


class RenameBody(RequestModel):
    """Signed plaintext of ``/pa/activation/rename``."""

    activation_name: str


class NamedActivation(WireModel):
    """What the device gets, encrypted."""

    activation_id: str
    activation_name: str | None


class RenameActivation(PlaintextAction):
    """Renames the signing activation."""

    def __init__(self, received: Received) -> None:
        super().__init__(received)
        self.name = _name_in(received.plaintext)

    async def accepted(
        self, session: AsyncSession, activation: LockedActivation, decision: Decision
    ) -> str | None:
        """The name that is stored now; None if the plaintext names none."""
        if self.name is None:
            return None
        if len(self.name) > MAX_NAME:
            raise InvalidRequest()
        entity = await signed.entity_of(session, activation)
        await administration.rename_locked(self.received.ports.changes, session, entity, self.name)
        return self.name


async def rename(ports: Ports, request: SealedRequest) -> SealedAnswer:
    """``sealed/activation/rename``.

    :raises InvalidRequest: the name is longer than the column
    :raises CoreError: the activation cannot be renamed
    """

    async def action(received: Received) -> RenameActivation:
        return RenameActivation(received)

    checked = await sealed.check_plaintext(ports, request, ACTIVATION_RENAME.purpose, action)
    if checked is None:
        return SealedAnswer(authenticated=False)
    received, verified = checked
    if verified.answer is None:
        return SealedAnswer(authenticated=True, refusal=REQUEST_INVALID)
    return _named(received, verified.answer)


async def detail(ports: Ports, request: SealedRequest) -> SealedAnswer:
    """``sealed/activation/detail``; only for a token created with two factors. Whatever else is wrong, the
    token is looked at first, and spent.

    :raises InvalidRequest: no usable header for the envelope, no envelope, or one that was accepted before
    :raises CoreError: the envelope does not open
    """
    body = signed.read_body(request)
    token = (
        None if request.token is None else await authenticate(ports, request.token, ACTIVATION_DETAIL.types)
    )
    if token is None:
        return SealedAnswer(authenticated=False)
    sender = sealed.sender_of(request)
    if sender is not None and sender.activation_id != token.activation_id:
        return SealedAnswer(authenticated=False)
    return _named(await sealed.open_once(ports, sender, body), token.activation_name)


async def user_info(ports: Ports, request: SealedRequest) -> SealedAnswer:
    """``sealed/user-info``: that the device knows the scope's secrets is the proof, and changes nothing.

    :raises InvalidRequest: no usable header, no envelope, one that was accepted before, or the plaintext is
        not a JSON object
    :raises CoreError: the envelope does not open
    """
    received = await sealed.open_once(ports, sealed.sender_of(request), signed.read_body(request))
    signed.parse_members(received.plaintext)
    owner = received.activation
    context = ClaimsContext(
        Stage.USER_INFO, owner.user_id, owner.activation_id, received.application.application_id
    )
    claims = await providers.user_claims(ports.settings, ports.egress, context)
    return SealedAnswer(authenticated=True, envelope=received.seal(json_bytes(claims or {})))


def _named(received: Received, name: str | None) -> SealedAnswer:
    named = NamedActivation(activation_id=received.activation.activation_id, activation_name=name)
    return SealedAnswer(
        authenticated=True, envelope=received.seal(to_json(ObjectResponse(response_object=named)))
    )


def _name_in(plaintext: bytes) -> str | None:
    try:
        name = RenameBody.model_validate_json(plaintext).activation_name
    except ValidationError:
        return None
    return name if name.strip() else None
