"""Queries of the general audit log."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, cast, exists, false, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.audit.models import AuditLog


async def page(
    session: AsyncSession,
    dialect: str,
    *,
    subject_id: str,
    application_ids: Sequence[str] | None,
    types: Sequence[str] | None,
    levels: Sequence[str],
    timestamp_from: datetime,
    timestamp_to: datetime,
    offset: int,
    limit: int,
) -> list[AuditLog]:
    """Records about a subject in an inclusive range, newest first."""
    statement = (
        select(AuditLog)
        .where(
            AuditLog.subject_id == subject_id,
            AuditLog.timestamp_created.between(timestamp_from, timestamp_to),
            AuditLog.audit_level.in_(levels),
        )
        .order_by(AuditLog.timestamp_created.desc(), AuditLog.audit_log_id.desc())
        .offset(offset)
        .limit(limit)
    )
    if types is not None:
        statement = statement.where(AuditLog.audit_type.in_(types))
    if application_ids is not None:
        statement = statement.where(_scope(dialect, application_ids))
    return list((await session.execute(statement)).scalars())


def _scope(dialect: str, application_ids: Sequence[str]) -> ColumnElement[bool]:
    """Records naming one of the applications: ``applicationId``, or ``applications`` of an operation."""
    if not application_ids:
        return false()
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import JSONB, array  # noqa: PLC0415 - only where it is the database

        param = cast(AuditLog.param, JSONB)
        return or_(
            param["applicationId"].astext.in_(application_ids),
            param["applications"].has_any(array(application_ids)),
        )
    named = func.json_each(AuditLog.param, "$.applications").table_valued("value")
    return or_(
        func.json_extract(AuditLog.param, "$.applicationId").in_(application_ids),
        exists(select(1).select_from(named).where(named.c.value.in_(application_ids))),
    )
