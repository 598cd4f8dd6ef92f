"""How activations look in listings (spec/core-api.md §2.3, §7.14)."""

from __future__ import annotations

from powerauth_contracts.enums import ActivationProtocol
from powerauth_contracts.rest.activation_administration import ActivationHistoryItem, ActivationItem
from powerauth_core.activations.models import Activation, ActivationHistory


def activation_item(activation: Activation, application_id: str) -> ActivationItem:
    """One activation in a listing."""
    return ActivationItem(
        activation_id=activation.activation_id,
        activation_status=activation.activation_status,
        blocked_reason=activation.blocked_reason,
        activation_name=activation.activation_name,
        external_id=activation.external_id,
        extras=activation.extras,
        protocol=ActivationProtocol(activation.protocol),
        platform=activation.platform,
        device_info=activation.device_info,
        activation_flags=list(activation.flags or ()),
        timestamp_created=activation.timestamp_created,
        timestamp_last_used=activation.timestamp_last_used,
        timestamp_last_change=activation.timestamp_last_change,
        user_id=activation.user_id,
        application_id=application_id,
        failed_attempts=activation.failed_attempts,
        max_failed_attempts=activation.max_failed_attempts,
        device_public_key_base64=activation.device_public_key_base64,
        version=activation.version or 0,
        additional_data=activation.additional_data,
        parent_activation_id=activation.parent_activation_id,
        transfer_type=activation.transfer_type,
    )


def history_item(row: ActivationHistory) -> ActivationHistoryItem:
    """One row of an activation's history."""
    return ActivationHistoryItem(
        id=row.id,
        activation_id=row.activation_id,
        activation_status=row.activation_status,
        event_reason=row.event_reason,
        external_user_id=row.external_user_id,
        activation_name=row.activation_name,
        timestamp_created=row.timestamp_created,
        version=row.activation_version,
    )
