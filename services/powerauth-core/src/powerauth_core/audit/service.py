"""Writing and reading the general audit log (spec/core-api.md §27, cloud-api §16)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import AuditLevel
from powerauth_contracts.rest.audit import AuditItem, ListAuditRequest, ListAuditResponse
from powerauth_core import __version__
from powerauth_core.audit import repository
from powerauth_core.audit.models import AuditLog
from powerauth_core.audit.rules import AuditType
from powerauth_core.kernel.base import json_text
from powerauth_core.kernel.errors import InvalidRequest
from powerauth_protocol.common.json_text import JsonError, read_json
from servicekit import clock
from servicekit.database import Database

APPLICATION_NAME = "powerauth-core"
_CALLER = "powerauth_core"
_SUBJECT_LENGTH = 256


def row(
    audit_type: AuditType,
    message: str,
    params: Mapping[str, Any],
    subject_id: str | None,
    level: AuditLevel = AuditLevel.INFO,
) -> dict[str, Any]:
    """Column values of one audit record, for callers that insert many at once.

    :param params: JSON members without any secret, PIN, OTP or counter data; name the application as
        ``applicationId`` or ``applications``, by which readers are restricted
    :param subject_id: the user the record is about
    """
    return {
        "audit_log_id": str(uuid.uuid4()),
        "application_name": APPLICATION_NAME,
        "audit_level": level.value,
        "audit_type": audit_type.value,
        "timestamp_created": clock.now(),
        "message": message,
        "param": json_text(dict(params)),
        "calling_class": _CALLER,
        "thread_name": _CALLER,
        "version": __version__,
        "subject_id": None if subject_id is None else subject_id[:_SUBJECT_LENGTH],
    }


async def record(
    session: AsyncSession,
    audit_type: AuditType,
    message: str,
    params: Mapping[str, Any],
    subject_id: str | None,
    level: AuditLevel = AuditLevel.INFO,
) -> None:
    """Write one audit record in the caller's transaction; parameters as in `row`."""
    await session.execute(insert(AuditLog), [row(audit_type, message, params, subject_id, level)])


async def list_records(database: Database, request: ListAuditRequest) -> ListAuditResponse:
    """One page of the records about a subject, newest first (``audit/log/list``).

    :raises InvalidRequest: the range is empty the wrong way round
    """
    if request.timestamp_from > request.timestamp_to:
        raise InvalidRequest("requestObject.timestampFrom - must not be after timestampTo")
    async with database.read() as session:
        rows = await repository.page(
            session,
            database.dialect,
            subject_id=request.subject_id,
            application_ids=request.application_ids,
            types=request.types,
            levels=request.min_level.and_above(),
            timestamp_from=request.timestamp_from,
            timestamp_to=request.timestamp_to,
            offset=request.page_number * request.page_size,
            limit=request.page_size + 1,
        )
    return ListAuditResponse(
        items=[_item(found) for found in rows[: request.page_size]],
        has_next=len(rows) > request.page_size,
    )


def _item(row: AuditLog) -> AuditItem:
    """The wire form of a row; parameters that are no JSON object (adopted rows) become ``{}``."""
    try:
        param = read_json(row.param or "{}")
    except JsonError:
        param = {}
    return AuditItem(
        id=row.audit_log_id,
        subject_id=row.subject_id,
        application_name=row.application_name,
        type=row.audit_type,
        level=row.audit_level,
        timestamp=row.timestamp_created,
        message=row.message,
        param=param if isinstance(param, dict) else {},
    )
