"""Localised texts that the mobile application shows for operations (D2; cloud-api §11.7)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core import events
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.templates import repository
from powerauth_core.templates.models import OperationText
from servicekit.database import Database


async def list_texts(
    database: Database, placeholder: str | None, language: str | None
) -> Sequence[OperationText]:
    """``operation/text/list``: of one operation type and language, or of all."""
    async with database.read() as session:
        return await repository.texts(session, placeholder, language)


async def update(database: Database, text: OperationText) -> OperationText:
    """``operation/text/update``: make or replace one text and tell whoever keeps a copy."""
    async with database.transaction() as session:
        stored = await repository.put_text(session, database.dialect, text)
        await _announce(session, "Operation text updated", stored.placeholder, stored.language)
    return stored


async def remove(database: Database, placeholder: str, language: str) -> bool:
    """``operation/text/remove``; removing what is not there is no error.

    :return: whether it was there
    """
    async with database.transaction() as session:
        removed = await repository.remove_text(session, placeholder, language)
        if removed:
            await _announce(session, "Operation text removed", placeholder, language)
    return removed


async def _announce(session: AsyncSession, message: str, placeholder: str, language: str) -> None:
    params = {"placeholder": placeholder, "language": language}
    await audit.record(session, AuditType.TEMPLATE, message, params, None)
    await events.operation_template_changed(session, placeholder, language)
