"""Key exchanges whose layers both stay closed on their way through the enrollment service (D1)."""

from __future__ import annotations

from pydantic import ValidationError

from powerauth_contracts.dmz.models import (
    CreateActivationRequest,
    SealedCreationAnswer,
    SealedCreationRequest,
)
from powerauth_contracts.wire import json_bytes
from powerauth_core.dmz import creation, sealed
from powerauth_core.dmz.creation import Finished
from powerauth_core.dmz.ports import Ports
from powerauth_core.dmz.signed import body_bytes
from powerauth_core.envelopes.handout import open_unspent
from powerauth_core.envelopes.service import ClosedEnvelope
from powerauth_core.envelopes.views import sealed_fields
from powerauth_core.kernel.errors import CoreError, InvalidRequest

_LAYER_1 = ("type", "identityAttributes", "customAttributes", "activationData")


async def create(ports: Ports, request: SealedCreationRequest) -> SealedCreationAnswer:
    """``sealed/activation/create``. The outer layer is accepted once, whatever comes of the inner one.

    :raises InvalidRequest: no envelope of its version, accepted before, or no layer 1 in it
    :raises CoreError: as `open_unspent` and `creation.finished`
    """
    members = sealed.parse_members(body_bytes(request.body))
    outer = ClosedEnvelope(request.application_key, request.protocol_version, members).judged()
    opened, unspent = await open_unspent(ports, outer, request.application_key)
    try:
        created = await creation.finished(ports, _layer1(request, opened.plaintext), unspent)
    except CoreError:
        await unspent.spend()
        raise
    exchanged = created.exchanged
    return SealedCreationAnswer(
        envelope=sealed_fields(opened.seal(_answer(created))),
        activation_id=exchanged.activation_id,
        application_id=exchanged.application_id,
        activation_status=created.status,
    )


def _layer1(request: SealedCreationRequest, plaintext: bytes) -> CreateActivationRequest:
    """What the device says, of the application and in the version that the envelope has proved."""
    said = sealed.parse_members(plaintext)
    proved = {"applicationKey": request.application_key, "protocolVersion": request.protocol_version}
    try:
        return CreateActivationRequest.model_validate({name: said.get(name) for name in _LAYER_1} | proved)
    except ValidationError:
        raise InvalidRequest() from None


def _answer(created: Finished) -> bytes:
    """Layer 1 of the answer; members that are None are written (D19)."""
    return json_bytes(
        {
            "activationData": sealed_fields(created.exchanged.sealed),
            "customAttributes": created.custom_attributes,
            "userInfo": created.user_info,
        }
    )
