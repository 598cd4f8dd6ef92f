"""Records of this service's own audit log (spec/cloud-api.md §10.2)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from uuid import uuid4

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from cloud_private_api.audit_log.models import AuditLog
from cloud_private_api.version import VERSION
from servicekit import clock
from servicekit.database import Database

APPLICATION_NAME = "powerauth-cloud"
MAX_SUBJECT = 256


class AuditType(StrEnum):
    """What a record is about."""

    ADMIN = "cloud-admin"
    AUTH = "cloud-auth"


def record(
    session: AsyncSession, kind: AuditType, subject_id: str, message: str, param: Mapping[str, object]
) -> None:
    """Add one record to the caller's transaction. ``param`` must hold no secret."""
    session.add(
        AuditLog(
            audit_log_id=str(uuid4()),
            application_name=APPLICATION_NAME,
            audit_level="INFO",
            audit_type=kind.value,
            timestamp_created=clock.now(),
            message=message,
            param=json.dumps(param, ensure_ascii=False, default=str),
            calling_class="cloud_private_api",
            thread_name="main",
            version=VERSION,
            subject_id=subject_id[:MAX_SUBJECT],
        )
    )


async def forget_before(session: AsyncSession, moment: datetime) -> None:
    """Delete the records made before a moment."""
    await session.execute(delete(AuditLog).where(AuditLog.timestamp_created < moment))


async def record_change(database: Database, username: str, message: str, param: Mapping[str, object]) -> None:
    """Record an administrator's change that another service has made; in a transaction of its own."""
    async with database.transaction() as session:
        record(session, AuditType.ADMIN, username, message, {"caller": username, **param})
