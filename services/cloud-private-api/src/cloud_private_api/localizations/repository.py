"""Queries on ``pa_cloud_localization``."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncSession

from cloud_private_api.localizations.models import Localization
from servicekit.database import insert_ignore


async def list_all(session: AsyncSession) -> Sequence[Localization]:
    """All texts, by template and language."""
    rows = await session.scalars(
        select(Localization).order_by(Localization.placeholder, Localization.language)
    )
    return rows.all()


async def find(session: AsyncSession, placeholder: str, language: str) -> Localization | None:
    """The text of one template in one language."""
    return (
        await session.scalars(
            select(Localization).where(
                Localization.placeholder == placeholder, Localization.language == language
            )
        )
    ).one_or_none()


async def find_first(
    session: AsyncSession, placeholder: str, languages: Sequence[str]
) -> Localization | None:
    """The text of one template in the first of the languages that has one."""
    rows = await session.scalars(
        select(Localization).where(
            Localization.placeholder == placeholder, Localization.language.in_(languages)
        )
    )
    by_language = {row.language: row for row in rows}
    return next((by_language[language] for language in languages if language in by_language), None)


async def put(
    session: AsyncSession, placeholder: str, language: str, title: str, summary: str
) -> Localization:
    """Insert or replace the text of one template in one language."""
    table = Localization.__table__
    assert isinstance(table, Table)
    values = {"placeholder": placeholder, "language": language, "title": title, "summary": summary}
    await insert_ignore(session, table, values)
    row = await find(session, placeholder, language)
    assert row is not None
    row.title, row.summary = title, summary
    return row
