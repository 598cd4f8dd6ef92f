"""The public status of an activation: the encrypted part, and what the operator adds (spec/enrollment-api.md
§8.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powerauth_contracts.dmz.models import ActivationStatusAnswer, ActivationStatusRequest
from powerauth_core.activations import status as statuses
from powerauth_core.dmz.ports import Ports
from powerauth_core.providers import plug_ins as providers

if TYPE_CHECKING:
    from powerauth_contracts.rest.activations import ActivationStatusResponse


async def status(ports: Ports, request: ActivationStatusRequest) -> ActivationStatusAnswer:
    """``activation/status``: never a code, a user or a counter, whatever the state.

    :raises InvalidRequest: the challenge is not Base64 of 16 bytes
    :raises IncorrectActivationState: an activation of protocol version 2
    """
    challenge = statuses.read_challenge(request.challenge)
    found = await statuses.status(ports, request.activation_id, challenge)
    return ActivationStatusAnswer(
        activation_id=request.activation_id,
        encrypted_status_blob=found.encrypted_status_blob,
        encrypted_status_blob_nonce=found.encrypted_status_blob_nonce,
        custom_object=await _custom_object(ports, found),
    )


async def _custom_object(ports: Ports, found: ActivationStatusResponse) -> dict[str, object] | None:
    if found.application_id is None or not ports.settings.status_custom_object_url:
        return None
    members = found.model_dump(mode="json", by_alias=True)
    shown = {name: members[name] for name in _SHOWN}
    return await providers.custom_object(ports.settings, ports.egress, shown)


_SHOWN = (
    "activationId",
    "activationName",
    "activationFlags",
    "activationStatus",
    "blockedReason",
    "applicationId",
    "userId",
    "version",
    "timestampCreated",
    "timestampLastUsed",
    "timestampLastChange",
    "platform",
    "deviceInfo",
    "extras",
)
