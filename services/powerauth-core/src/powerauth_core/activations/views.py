"""How activations look in listings (spec/core-api.md §2.3, §7.14) and one by one (§7.6)."""

from __future__ import annotations

from datetime import datetime

from powerauth_contracts.enums import ActivationOtpValidation, ActivationProtocol, CommitPhase
from powerauth_contracts.rest.activation_administration import ActivationHistoryItem, ActivationItem
from powerauth_contracts.rest.activations import ActivationStatusResponse
from powerauth_core.activations.keys import ActivationKeyCache
from powerauth_core.activations.models import ActivationHistory
from powerauth_core.activations.rules import CREATED, REMOVED
from powerauth_core.activations.status import FoundStatus, Known, code_signature, fingerprint
from powerauth_core.activations.stored import AnyActivation
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.values import SealedStatus

_UNKNOWN = "unknown"
_EPOCH = datetime(1970, 1, 1)


def status_answer(
    found: FoundStatus, activation_keys: ActivationKeyCache, max_failed_attempts: int
) -> ActivationStatusResponse:
    """Everything about one activation.

    :param max_failed_attempts: of an unknown one
    :raises CoreError: as `status.code_signature` and `status.fingerprint`
    """
    if found.known is None:
        return _unknown(found, max_failed_attempts)
    return _known(found.known, found.sealed, activation_keys)


def activation_item(activation: AnyActivation, application_id: str) -> ActivationItem:
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


def _known(
    known: Known, sealed: SealedStatus, activation_keys: ActivationKeyCache
) -> ActivationStatusResponse:
    activation, application = known.activation, known.application
    created = activation.activation_status is CREATED
    return ActivationStatusResponse(
        activation_id=activation.activation_id,
        activation_status=activation.activation_status,
        activation_otp_validation=activation.activation_otp_validation,
        commit_phase=activation.commit_phase or CommitPhase.ON_COMMIT,
        blocked_reason=activation.blocked_reason,
        activation_name=activation.activation_name,
        user_id=activation.user_id,
        extras=activation.extras,
        protocol=ActivationProtocol(activation.protocol),
        external_id=activation.external_id,
        platform=activation.platform,
        device_info=activation.device_info,
        application_id=application.application_id,
        failed_attempts=activation.failed_attempts,
        max_failed_attempts=activation.max_failed_attempts,
        timestamp_created=activation.timestamp_created,
        timestamp_last_used=activation.timestamp_last_used,
        timestamp_last_change=activation.timestamp_last_change,
        encrypted_status_blob=b64encode(sealed.blob),
        encrypted_status_blob_nonce=nonce_text(sealed),
        activation_code=activation.activation_code if created else None,
        activation_signature=code_signature(known),
        device_public_key_fingerprint=fingerprint(activation_keys, known),
        version=activation.version or 0,
        activation_flags=list(activation.flags or ()),
        application_roles=list(application.roles),
        additional_data=activation.additional_data,
        parent_activation_id=activation.parent_activation_id,
        transfer_type=activation.transfer_type,
    )


def _unknown(found: FoundStatus, max_failed_attempts: int) -> ActivationStatusResponse:
    return ActivationStatusResponse(
        activation_id=found.activation_id,
        activation_status=REMOVED,
        activation_otp_validation=ActivationOtpValidation.NONE,
        commit_phase=CommitPhase.ON_COMMIT,
        activation_name=_UNKNOWN,
        user_id=_UNKNOWN,
        failed_attempts=0,
        max_failed_attempts=max_failed_attempts,
        timestamp_created=_EPOCH,
        timestamp_last_used=_EPOCH,
        encrypted_status_blob=b64encode(found.sealed.blob),
        encrypted_status_blob_nonce=nonce_text(found.sealed),
        version=0,
    )


def nonce_text(sealed: SealedStatus) -> str | None:
    """Base64 of the nonce of a status that was challenged."""
    return None if sealed.nonce is None else b64encode(sealed.nonce)
