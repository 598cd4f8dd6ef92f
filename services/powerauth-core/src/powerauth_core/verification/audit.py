"""Rows of the signature audit and of the general audit log for one decision (spec/core-api.md §9.2, §27)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import to_json

from powerauth_contracts import moments
from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.verification.jobs import (
    BLOCKED_BY_FAILURES,
    OFFLINE_SECRET,
    ActivationFacts,
    Decision,
    LockedActivation,
    Outcome,
    VerificationJob,
)
from powerauth_core.verification.samples import Repeated
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError
from servicekit.names import unique_name

_SIGNATURE_COLUMN = 255
_PARTS_WITHOUT_SECRET = 4
# The column holds 255 characters of JSON: one free text beside the fixed facts has to stay below this.
_INFO_VALUE = 120


# Values, never changed. Not frozen: that makes them five times as dear, and every check makes several.
@dataclass(slots=True)
class AuditRecord:
    """The two rows of one decision: in the signature audit and in the general log."""

    signature: tuple[Any, ...]
    general: tuple[Any, ...]


def record(
    job: VerificationJob,
    activation: LockedActivation,
    application: ApplicationFacts | None,
    decision: Decision,
    now: datetime,
    prepared: Sequence[tuple[str, str]] = (),
) -> AuditRecord:
    """What to store about one decision; counter and state are those before the attempt.

    The application secret is left out (D12): ``application_version_id`` says whose it was.

    :param application: what is known about the application key of an online signature
    :param prepared: additional facts that the job's action found before the check
    """
    data = job.signed_data[decision.candidate_index]
    method, uri_id, body = _request_of(data)
    version_id = None
    if job.version is None:
        data = f"{data}&{OFFLINE_SECRET}"
    elif decision.outcome is Outcome.INVALID_APPLICATION or application is None:
        data = f"{data}&{job.application_key}"
    else:
        version_id = application.version_rid
    before = decision.before
    metadata = {"type": "POWERAUTH", "signatureDataMethod": method, "signatureDataUriId": uri_id}
    info = _additional_info(job, decision, prepared)
    # Neither application secret nor counter data in the general log (D12).
    parameters = {
        "activationId": before.activation_id,
        "applicationId": activation.application_id,
        "userId": activation.user_id,
        "valid": decision.valid,
        "counter": before.counter,
        "activationStatus": before.status,
        "additionalInfo": info,
        "data": b64encode(data.encode()),
        "signature": job.signature[:_SIGNATURE_COLUMN],
        "signatureMetadata": metadata,
        "signatureDataBody": body,
        "signatureType": decision.signature_type.enum_name,
        "signatureVersion": job.version,
        "activationVersion": before.version,
        "note": decision.outcome,
        "timestamp": moments.isoformat_core(now),
    }
    return AuditRecord(
        _signature_row(parameters, before, decision, now, version_id),
        _log_row(parameters, decision, now),
    )


def repeated_record(repeated: Repeated, now: datetime) -> AuditRecord:
    """What to store about attempts that share a row (D15): their number, and the last of them without what it
    signed.
    """
    activation, decision, before = repeated.activation, repeated.last, repeated.before
    info = {"ATTEMPTS": str(repeated.count), "SINCE": moments.isoformat_core(repeated.minute)}
    if repeated.address:
        info["ADDRESS"] = repeated.address
    parameters = {
        "activationId": before.activation_id,
        "applicationId": activation.application_id,
        "userId": activation.user_id,
        "valid": False,
        "counter": before.counter,
        "activationStatus": before.status,
        "additionalInfo": [{"key": key, "value": value[:_INFO_VALUE]} for key, value in info.items()],
        "data": None,
        "signature": "",
        "signatureMetadata": {"type": "POWERAUTH"},
        "signatureDataBody": None,
        "signatureType": decision.signature_type.enum_name,
        "signatureVersion": None,
        "activationVersion": before.version,
        "note": decision.outcome,
        "timestamp": moments.isoformat_core(now),
    }
    return AuditRecord(
        _signature_row(parameters, before, decision, now, None), _log_row(parameters, decision, now)
    )


def _signature_row(
    facts: dict[str, Any],
    before: ActivationFacts,
    decision: Decision,
    now: datetime,
    version_id: int | None,
) -> tuple[Any, ...]:
    return (
        before.activation_id,
        before.counter,
        b64encode(before.ctr_data or b""),
        before.status.code,
        _json(facts["additionalInfo"]),
        facts["data"],
        decision.outcome.value,
        facts["signatureType"],
        facts["signature"],
        now,
        decision.valid,
        before.version,
        facts["signatureVersion"],
        facts["signatureDataBody"],
        _json(facts["signatureMetadata"]),
        version_id,
    )


def _log_row(facts: dict[str, Any], decision: Decision, now: datetime) -> tuple[Any, ...]:
    return (
        unique_name(),
        now,
        "Signature validation succeeded" if decision.valid else "Signature validation failed",
        _json(facts),
        facts["userId"],
    )


def _json(value: Any) -> str:
    """Compact JSON; unlike `base.json_text` for strings, numbers and enumerations only."""
    return "[]" if value == [] else to_json(value).decode()


def _additional_info(
    job: VerificationJob, decision: Decision, prepared: Sequence[tuple[str, str]]
) -> list[dict[str, str]]:
    facts = [*job.audit_info, *prepared]
    if not decision.valid:
        facts += job.failure_info
    if decision.blocked:
        facts.append(("BLOCKED_REASON", decision.after.blocked_reason or BLOCKED_BY_FAILURES))
    return [{"key": key, "value": value[:_INFO_VALUE]} for key, value in facts]


def _request_of(data: str) -> tuple[str | None, str | None, str | None]:
    """Method, resource id and body of the signed data, all None unless it has exactly its four parts."""
    parts = data.split("&")
    if len(parts) != _PARTS_WITHOUT_SECRET:
        return None, None, None
    try:
        return parts[0], _text(parts[1]), _text(parts[3])
    except EncodingError:
        return None, None, None


def _text(part: str) -> str:
    """Decoded part as text a column can hold: bytes that are not UTF-8, and NUL, become U+FFFD."""
    return b64decode(part).decode("utf-8", "replace").replace("\x00", "\ufffd")
