"""Writing and reading the general audit log, and what it keeps of changes (spec/core-api.md §19.8, §22.5,
§27, cloud-api §16).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts import moments
from powerauth_contracts.enums import ActivationStatus, AuditLevel
from powerauth_contracts.wire import json_bytes
from powerauth_core import __version__
from powerauth_core.audit import repository
from powerauth_core.audit.models import AuditLog
from powerauth_core.audit.rules import AuditType
from powerauth_core.kernel.changes import PROXIMITY_OTP, ActivationChanged, OperationChanged, PasskeyJudged
from powerauth_core.kernel.errors import InvalidRequest
from powerauth_core.kernel.paging import Page
from servicekit import clock
from servicekit.additions import Additions, Target
from servicekit.names import unique_name
from servicekit.replicas import Reader

APPLICATION_NAME = "powerauth-core"
_CALLER = "powerauth_core"
_SUBJECT_LENGTH = 256
_INVALIDATED = "INVALIDATED"


LOG = Target(
    AuditLog.__tablename__,
    {
        "audit_log_id": "varchar",
        "audit_level": "varchar",
        "audit_type": "varchar",
        "timestamp_created": "timestamp",
        "message": "text",
        "param": "text",
        "subject_id": "varchar",
    },
    {
        "application_name": APPLICATION_NAME,
        "calling_class": _CALLER,
        "thread_name": _CALLER,
        "version": __version__,
    },
)


def put(
    additions: Additions,
    audit_type: AuditType,
    message: str,
    params: Mapping[str, Any],
    subject_id: str | None,
    level: AuditLevel = AuditLevel.INFO,
) -> None:
    """Add one audit record.

    :param params: JSON members without any secret, PIN, OTP or counter data; name the application as
        ``applicationId`` or ``applications``, by which readers are restricted
    :param subject_id: the user the record is about
    """
    subject = None if subject_id is None else subject_id[:_SUBJECT_LENGTH]
    record_id, now, text = unique_name(), clock.now(), json_bytes(dict(params)).decode()
    additions.add(LOG, (record_id, level.value, audit_type.value, now, message, text, subject))


async def record(
    session: AsyncSession,
    audit_type: AuditType,
    message: str,
    params: Mapping[str, Any],
    subject_id: str | None,
    level: AuditLevel = AuditLevel.INFO,
) -> None:
    """Write one audit record in the caller's transaction; parameters as in `put`."""
    additions = Additions.of(session)
    put(additions, audit_type, message, params, subject_id, level)
    await additions.write(session)


class Keeper:
    """Keeps changes in the audit log."""

    def activation_changed(self, additions: Additions, change: ActivationChanged) -> None:
        """Record an activation's change."""
        message = f"Activation status: {change.status.value}"
        put(additions, AuditType.ACTIVATION, message, _activation_params(change), change.user_id)

    def operation_changed(self, additions: Additions, change: OperationChanged) -> None:
        """Record an operation's change, without the proximity code."""
        put(additions, AuditType.OPERATION, change.step.value, _operation_params(change), change.user_id)

    def passkey_judged(self, additions: Additions, change: PasskeyJudged) -> None:
        """Record what came of another look at an attestation; what `monitor` sees under a name of its own."""
        message, level = "fido2.policy.monitor", AuditLevel.INFO
        if change.changes_trust:
            lost = change.trust == _INVALIDATED
            message = f"fido2.attestation.{'invalidated' if lost else 'restored'}"
            level = AuditLevel.WARN if lost else AuditLevel.INFO
        put(additions, AuditType.FIDO2, message, _passkey_params(change), change.user_id, level)


def _passkey_params(change: PasskeyJudged) -> dict[str, Any]:
    return {
        "activationId": change.activation_id,
        "applicationId": change.application_id,
        "userId": change.user_id,
        "aaguid": change.aaguid,
        "fmt": change.fmt,
        "kind": change.kind,
        "trust": change.trust,
        "previousTrust": change.previous_trust,
        "verdict": change.reason,
        "mdsNo": change.mds_no,
    }


def _activation_params(change: ActivationChanged) -> dict[str, Any]:
    params: dict[str, Any] = {
        "activationId": change.activation_id,
        "userId": change.user_id,
        "applicationId": change.application_id,
        "status": change.status.value,
        "maxFailedAttempts": change.max_failed_attempts,
    }
    if change.status is not ActivationStatus.CREATED:
        params |= {
            "activationName": change.name,
            "platform": change.platform,
            "failedAttempts": change.failed_attempts,
            "deviceInfo": change.device_info,
            "reason": change.reason,
            "activationVersion": change.version,
        }
    if change.external_user_id is not None:
        params["externalUserId"] = change.external_user_id
    return params


def _operation_params(change: OperationChanged) -> dict[str, Any]:
    additional_data = {name: value for name, value in change.additional_data.items() if name != PROXIMITY_OTP}
    params: dict[str, Any] = {
        "id": change.operation_id,
        "userId": change.user_id,
        "applications": list(change.applications),
        "activationId": change.activation_id,
        "externalId": change.external_id,
        "activationFlag": change.activation_flag,
        "operationType": change.operation_type,
        "template": change.template_name,
        "data": change.data,
        "parameters": change.parameters,
        "additionalData": additional_data,
        "status": change.status.value,
        "statusReason": change.status_reason,
        "failureCount": change.failure_count,
        "maxFailureCount": change.max_failure_count,
        "timestampCreated": moments.isoformat_core(change.created),
        "timestampExpires": moments.isoformat_core(change.expires),
        "timestampFinalized": None if change.finalized is None else moments.isoformat_core(change.finalized),
    }
    if change.proximity is not None:
        params["proximityCheckResult"] = change.proximity
    if change.activation_id_matches is not None:
        params["activationIdMatches"] = change.activation_id_matches
    if change.number_matches is not None:
        params["numberMatches"] = change.number_matches
    return params


async def list_records(
    database: Reader,
    *,
    subject_id: str,
    types: Sequence[str] | None,
    min_level: AuditLevel,
    since: datetime,
    until: datetime,
    page: Page,
    scope: Sequence[str] | None,
) -> tuple[Sequence[AuditLog], bool]:
    """One page of the records about a subject, newest first (``audit/log/list``).

    :return: the records, and whether there are more
    :raises InvalidRequest: the range is empty the wrong way round
    """
    if since > until:
        raise InvalidRequest("requestObject.timestampFrom - must not be after timestampTo")
    async with database.read() as session:
        rows = await repository.page(
            session,
            database.dialect,
            subject_id=subject_id,
            application_ids=scope,
            types=types,
            levels=min_level.and_above(),
            timestamp_from=since,
            timestamp_to=until,
            offset=page.number * page.size,
            limit=page.size + 1,
        )
    return rows[: page.size], len(rows) > page.size
