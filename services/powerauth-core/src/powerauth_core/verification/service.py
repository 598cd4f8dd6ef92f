"""Online verification and the signature audit (spec/core-api.md §9.1, §9.7)."""

from __future__ import annotations

from typing import Any

from powerauth_contracts.enums import ActivationStatus, SignatureType
from powerauth_contracts.rest.verification import (
    KeyValue,
    ListSignaturesRequest,
    ListSignaturesResponse,
    SignatureAuditItem,
    VerifySignatureRequest,
    VerifySignatureResponse,
)
from powerauth_core.applications.models import ApplicationVersion
from powerauth_core.applications.secrets import application_secret
from powerauth_core.audit.signatures import SignatureAudit
from powerauth_core.kernel.errors import SignatureNotComputable
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.verification import repository
from powerauth_core.verification.jobs import VerificationJob, Verified
from powerauth_core.verification.ports import Ports
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import VersionError
from powerauth_protocol.common.json_text import read_json
from powerauth_protocol.generation import forces_hash_counter, generation_of
from servicekit.database import Database


async def verify(ports: Ports, request: VerifySignatureRequest) -> VerifySignatureResponse:
    """Check an online signature, move the counter or count the failure, and answer after the commit.

    :raises SignatureNotComputable: unknown signature version, or one that the application does not accept
    :raises InvalidRequest: a FIDO2 activation
    :raises IncorrectActivationState: an activation of protocol version 2
    """
    try:
        version = generation_of(request.signature_version).version
    except VersionError:
        raise SignatureNotComputable() from None
    verified = await ports.verifier.run(
        VerificationJob(
            activation_id=request.activation_id,
            signed_data=(request.data,),
            signature=request.signature,
            types=(request.signature_type.kind,),
            version=version,
            application_key=request.application_key,
            application_ids=scope(request.application_ids),
            force_hash_counter=forces_hash_counter(request.forced_signature_version),
        )
    )
    return verification_response(request.activation_id, verified)


def verification_response(activation_id: str, verified: Verified) -> VerifySignatureResponse:
    """The answer of online and offline verification: full for rows D and E of §9.1, short otherwise.

    :raises ServiceError: the signature could not be checked
    """
    if verified.refusal is not None:
        raise verified.refusal
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


async def list_signatures(
    database: Database, cipher: RecordCipher, request: ListSignaturesRequest
) -> ListSignaturesResponse:
    """Signature audit of a user, newest first; application secrets are put back where rows leave them out."""
    wanted = scope(request.application_ids)
    if request.application_id is not None:
        named = frozenset({request.application_id})
        wanted = named if wanted is None else wanted & named
    async with database.read() as session:
        rows = await repository.audit_of_user(
            session, request.user_id, wanted, request.timestamp_from, request.timestamp_to
        )
        items = [_item(cipher, request.user_id, *row) for row in rows]
    return ListSignaturesResponse(items=items)


def scope(application_ids: list[str] | None) -> frozenset[str] | None:
    """Scope of a call (D21); None if it is not restricted."""
    return None if application_ids is None else frozenset(application_ids)


def _item(
    cipher: RecordCipher,
    user_id: str,
    row: SignatureAudit,
    application_id: str,
    version: ApplicationVersion | None,
) -> SignatureAuditItem:
    return SignatureAuditItem(
        id=row.id,
        user_id=user_id,
        application_id=application_id,
        activation_id=row.activation_id,
        activation_counter=row.activation_counter,
        activation_ctr_data=row.activation_ctr_data,
        activation_status=row.activation_status,
        additional_info=[KeyValue(**pair) for pair in _additional_info(row.additional_info)],
        data_base64=_with_secret(cipher, row.data_base64, version),
        signature_version=row.signature_version,
        signature_type=row.signature_type,
        signature=row.signature,
        note=row.note,
        valid=row.valid,
        version=row.version,
        timestamp_created=row.timestamp_created,
    )


def _with_secret(
    cipher: RecordCipher, data_base64: str | None, version: ApplicationVersion | None
) -> str | None:
    """The signed data as the original stores it, with the application secret (D12)."""
    if data_base64 is None or version is None:
        return data_base64
    return b64encode(b64decode(data_base64) + b"&" + application_secret(cipher, version).encode())


def _additional_info(stored: str | None) -> list[dict[str, Any]]:
    return read_json(stored) if stored else []
