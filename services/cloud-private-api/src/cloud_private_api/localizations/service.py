"""Use cases of localised push texts (spec/cloud-api.md §11.7)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from cloud_private_api.access.rules import Caller
from cloud_private_api.audit_log.service import AuditType, record
from cloud_private_api.errors import NotFound
from cloud_private_api.localizations import repository
from cloud_private_api.localizations.models import Localization as Row
from cloud_private_api.localizations.ports import Ports
from cloud_private_api.parameters import is_storable
from cloud_private_api.templates.rules import checked_language
from powerauth_contracts.cloud.localizations import Localization, Localizations
from servicekit.database import Database


def _shown(row: Row) -> Localization:
    return Localization(
        placeholder=row.placeholder, language=row.language, title=row.title, summary=row.summary
    )


async def list_all(database: Database) -> Localizations:
    """All texts, by template and language."""
    async with database.read() as session:
        return Localizations(localizations=[_shown(row) for row in await repository.list_all(session)])


async def detail(database: Database, placeholder: str, language: str) -> Localization:
    """The text of one template in one language."""
    wanted = checked_language(language)
    async with database.read() as session:
        return _shown(await _find(session, placeholder, wanted))


async def put(
    ports: Ports, caller: Caller, placeholder: str, language: str, *, title: str, summary: str
) -> Localization:
    """Insert or replace a text."""
    wanted = checked_language(language)
    if not is_storable(placeholder):
        raise NotFound
    async with ports.database.transaction() as session:
        row = await repository.put(session, placeholder, wanted, title, summary)
        _audit(session, caller, "Push text changed", placeholder, wanted)
        shown = _shown(row)
    ports.push_texts.forget(placeholder)
    return shown


async def remove(ports: Ports, caller: Caller, placeholder: str, language: str) -> None:
    """Remove a text.

    :raises NotFound: there is none
    """
    wanted = checked_language(language)
    async with ports.database.transaction() as session:
        await session.delete(await _find(session, placeholder, wanted))
        _audit(session, caller, "Push text removed", placeholder, wanted)
    ports.push_texts.forget(placeholder)


async def _find(session: AsyncSession, placeholder: str, language: str) -> Row:
    row = await repository.find(session, placeholder, language) if is_storable(placeholder) else None
    if row is None:
        raise NotFound
    return row


def _audit(session: AsyncSession, caller: Caller, message: str, placeholder: str, language: str) -> None:
    param = {"caller": caller.username, "placeholder": placeholder, "language": language}
    record(session, AuditType.ADMIN, caller.username, message, param)
