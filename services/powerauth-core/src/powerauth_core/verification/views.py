"""Signatures as the bank's door takes them, and what it answers (spec/core-api.md §9)."""

from __future__ import annotations

from powerauth_contracts.enums import ActivationStatus, SignatureType
from powerauth_contracts.rest.verification import (
    KeyValue,
    SignatureAuditItem,
    VerifySignatureRequest,
    VerifySignatureResponse,
)
from powerauth_core.verification import service
from powerauth_core.verification.jobs import Verified
from powerauth_core.verification.ports import Ports
from powerauth_core.verification.service import ListedSignature


async def verify_signature(ports: Ports, asked: VerifySignatureRequest) -> VerifySignatureResponse:
    """``signature/verify``; raises as `service.verify`."""
    verified = await service.verify(
        ports,
        activation_id=asked.activation_id,
        application_key=asked.application_key,
        data=asked.data,
        signature=asked.signature,
        signature_type=asked.signature_type.kind,
        version=asked.signature_version,
        forced_version=asked.forced_signature_version,
        scope=asked.application_ids,
    )
    return verification_answer(asked.activation_id, verified)


def verification_answer(activation_id: str, verified: Verified) -> VerifySignatureResponse:
    """The answer of online and offline verification: full for rows D and E of §9.1, short otherwise."""
    activation, decision = verified.activation, verified.decision
    if activation is None or decision is None:
        return VerifySignatureResponse(
            signature_valid=False, activation_status=ActivationStatus.REMOVED, activation_id=activation_id
        )
    after = decision.after
    if not decision.full_answer:
        return VerifySignatureResponse(
            signature_valid=False, activation_status=after.status, activation_id=activation_id
        )
    return VerifySignatureResponse(
        signature_valid=decision.valid,
        activation_status=after.status,
        blocked_reason=after.blocked_reason,
        activation_id=activation_id,
        user_id=activation.user_id,
        application_id=activation.application_id,
        signature_type=SignatureType.of(decision.signature_type),
        remaining_attempts=decision.remaining_attempts,
        application_roles=list(activation.application_roles),
        activation_flags=list(activation.flags),
    )


def audit_item(user_id: str, listed: ListedSignature) -> SignatureAuditItem:
    """One row of the signature audit (§9.7)."""
    row = listed.row
    return SignatureAuditItem(
        id=row.id,
        user_id=user_id,
        application_id=listed.application_id,
        activation_id=row.activation_id,
        activation_counter=row.activation_counter,
        activation_ctr_data=row.activation_ctr_data,
        activation_status=row.activation_status,
        additional_info=[KeyValue(**pair) for pair in listed.additional_info],
        data_base64=listed.data_base64,
        signature_version=row.signature_version,
        signature_type=row.signature_type,
        signature=row.signature,
        note=row.note,
        valid=row.valid,
        version=row.version,
        timestamp_created=row.timestamp_created,
    )
