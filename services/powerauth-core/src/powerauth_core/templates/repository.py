"""Queries for operation templates and localised operation texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import CursorResult, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.templates.models import OperationTemplate, OperationText
from servicekit.database import Dialect, conflict_insert, for_update

_TEXT_KEY = ("placeholder", "language")


async def find_by_name(session: AsyncSession, template_name: str) -> OperationTemplate | None:
    """The template with this name."""
    statement = select(OperationTemplate).where(OperationTemplate.template_name == template_name)
    return (await session.execute(statement)).scalar_one_or_none()


async def find(session: AsyncSession, template_id: int) -> OperationTemplate | None:
    """The template with this id."""
    return await session.get(OperationTemplate, template_id)


async def lock(session: AsyncSession, dialect: Dialect, template_id: int) -> OperationTemplate | None:
    """The template with this id, locked until the end of the transaction."""
    statement = select(OperationTemplate).where(OperationTemplate.id == template_id)
    return (await session.execute(for_update(statement, dialect))).scalar_one_or_none()


async def list_all(session: AsyncSession) -> Sequence[OperationTemplate]:
    """All templates, by id."""
    return (await session.execute(select(OperationTemplate).order_by(OperationTemplate.id))).scalars().all()


async def texts(
    session: AsyncSession, placeholder: str | None = None, language: str | None = None
) -> Sequence[OperationText]:
    """Texts by operation type and language, those given or all."""
    statement = select(OperationText).order_by(OperationText.placeholder, OperationText.language)
    if placeholder is not None:
        statement = statement.where(OperationText.placeholder == placeholder)
    if language is not None:
        statement = statement.where(OperationText.language == language)
    return (await session.execute(statement)).scalars().all()


async def put_text(session: AsyncSession, dialect: Dialect, text: OperationText) -> OperationText:
    """Insert a text, or replace the one of the same operation type and language."""
    columns = OperationText.__table__.columns
    values = {column.key: getattr(text, column.key) for column in columns if column.key != "id"}
    replaced = {name: value for name, value in values.items() if name not in _TEXT_KEY}
    statement = (
        conflict_insert(dialect, OperationText)
        .values(**values)
        .on_conflict_do_update(index_elements=_TEXT_KEY, set_=replaced)
        .returning(OperationText)
        .execution_options(populate_existing=True)
    )
    return (await session.execute(statement)).scalar_one()


async def remove_text(session: AsyncSession, placeholder: str, language: str) -> bool:
    """Delete one text; whether there was one."""
    statement = delete(OperationText).where(
        OperationText.placeholder == placeholder, OperationText.language == language
    )
    result = cast(CursorResult[Any], await session.execute(statement))
    return result.rowcount > 0
