"""The public status of an activation: the encrypted part, and what the operator adds (spec/enrollment-api.md
§8.2).
"""

from __future__ import annotations

from typing import Any

from powerauth_contracts import moments
from powerauth_contracts.dmz.models import ActivationStatusAnswer, ActivationStatusRequest
from powerauth_core.activations.status import Known, find_status
from powerauth_core.activations.views import nonce_text
from powerauth_core.dmz.ports import Ports
from powerauth_core.providers import plug_ins as providers
from powerauth_protocol.common.encoding import b64encode


async def status(ports: Ports, request: ActivationStatusRequest) -> ActivationStatusAnswer:
    """``activation/status``: never a code, a user or a counter, whatever the state.

    :raises InvalidRequest: the challenge is not Base64 of 16 bytes
    :raises IncorrectActivationState: an activation of protocol version 2
    """
    found = await find_status(ports, activation_id=request.activation_id, challenge=request.challenge)
    return ActivationStatusAnswer(
        activation_id=request.activation_id,
        encrypted_status_blob=b64encode(found.sealed.blob),
        encrypted_status_blob_nonce=nonce_text(found.sealed),
        custom_object=await _custom_object(ports, found.known),
    )


async def _custom_object(ports: Ports, known: Known | None) -> dict[str, Any] | None:
    if known is None or not ports.settings.status_custom_object_url:
        return None
    return await providers.custom_object(ports.settings, ports.egress, _told(known))


def _told(known: Known) -> dict[str, Any]:
    """What the operator is told of an activation, JSON."""
    activation = known.activation
    changed = activation.timestamp_last_change
    return {
        "activationId": activation.activation_id,
        "activationName": activation.activation_name,
        "activationFlags": list(activation.flags or ()),
        "activationStatus": activation.activation_status.value,
        "blockedReason": activation.blocked_reason,
        "applicationId": known.application.application_id,
        "userId": activation.user_id,
        "version": activation.version or 0,
        "timestampCreated": moments.isoformat_core(activation.timestamp_created),
        "timestampLastUsed": moments.isoformat_core(activation.timestamp_last_used),
        "timestampLastChange": None if changed is None else moments.isoformat_core(changed),
        "platform": activation.platform,
        "deviceInfo": activation.device_info,
        "extras": activation.extras,
    }
