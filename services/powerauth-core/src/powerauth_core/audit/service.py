"""Writing and reading the general audit log (spec/core-api.md §27, cloud-api §16)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import AuditLevel
from powerauth_core import __version__
from powerauth_core.audit import repository
from powerauth_core.audit.models import AuditLog
from powerauth_core.audit.rules import AuditType
from powerauth_core.kernel.base import json_text
from powerauth_core.kernel.errors import InvalidRequest
from powerauth_core.kernel.paging import Page
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


async def list_records(
    database: Database,
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
