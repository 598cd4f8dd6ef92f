"""Queries of the signature audit."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations.models import Activation
from powerauth_core.applications.models import Application, ApplicationVersion
from powerauth_core.audit.signatures import SignatureAudit


async def audit_of_user(
    session: AsyncSession,
    user_id: str,
    application_ids: Collection[str] | None,
    since: datetime | None,
    until: datetime | None,
) -> list[tuple[SignatureAudit, str, ApplicationVersion | None]]:
    """Audit rows of a user's activations in the inclusive range, newest first, with application id and
    version.
    """
    statement = (
        select(SignatureAudit, Application.name, ApplicationVersion)
        .join(Activation, SignatureAudit.activation_id == Activation.activation_id)
        .join(Application, Activation.application_id == Application.id)
        .outerjoin(ApplicationVersion, SignatureAudit.application_version_id == ApplicationVersion.id)
        .where(Activation.user_id == user_id)
        .order_by(SignatureAudit.timestamp_created.desc(), SignatureAudit.id.desc())
    )
    if application_ids is not None:
        statement = statement.where(Application.name.in_(application_ids))
    if since is not None:
        statement = statement.where(SignatureAudit.timestamp_created >= since)
    if until is not None:
        statement = statement.where(SignatureAudit.timestamp_created <= until)
    return [(audit, name, version) for audit, name, version in await session.execute(statement)]
