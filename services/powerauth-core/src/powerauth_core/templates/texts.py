"""Localised texts that the mobile application shows for operations (D2; cloud-api §11.7)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.dmz.models import TextsAnswer, TextsRequest
from powerauth_contracts.rest.templates import (
    OperationTextListRequest,
    OperationTextListResponse,
    OperationTextRemoveRequest,
    OperationTextRemoveResponse,
    OperationTextRow,
)
from powerauth_core import events
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.templates import repository, rules
from powerauth_core.templates.models import OperationText
from powerauth_core.templates.ports import Ports
from powerauth_core.templates.schemas import OperationTextUpdateRequest
from servicekit.database import Database


async def list_texts(database: Database, request: OperationTextListRequest) -> OperationTextListResponse:
    """``operation/text/list``."""
    async with database.read() as session:
        found = await repository.texts(session, request.placeholder, request.language)
        return OperationTextListResponse(texts=[_view(text) for text in found])


async def update(database: Database, request: OperationTextUpdateRequest) -> OperationTextRow:
    """``operation/text/update``: make or replace one text and tell whoever keeps a copy."""
    async with database.transaction() as session:
        text = await repository.put_text(session, database.dialect, request.model_dump(by_alias=False))
        await _announce(session, "Operation text updated", request.placeholder, request.language)
        return _view(text)


async def remove(database: Database, request: OperationTextRemoveRequest) -> OperationTextRemoveResponse:
    """``operation/text/remove``; removing what is not there is no error."""
    async with database.transaction() as session:
        removed = await repository.remove_text(session, request.placeholder, request.language)
        if removed:
            await _announce(session, "Operation text removed", request.placeholder, request.language)
    return OperationTextRemoveResponse(removed=removed)


async def for_devices(ports: Ports, request: TextsRequest) -> TextsAnswer:
    """``texts`` of the dmz door: an operation type in all languages.

    If nothing has changed since the caller got the etag that it names, the answer has no rows.
    """
    async with ports.database.read() as session:
        rows = [_view(text) for text in await repository.texts(session, request.operation_type)]
    current = rules.etag_of([list(row.model_dump().values()) for row in rows])
    unchanged = request.etag == current
    return TextsAnswer(etag=current, not_modified=unchanged, rows=[] if unchanged else rows)


def _view(text: OperationText) -> OperationTextRow:
    return OperationTextRow(
        placeholder=text.placeholder,
        language=text.language,
        title=text.title,
        message=text.message,
        attributes=text.attributes,
        ui=text.ui,
        result_texts=text.result_texts,
    )


async def _announce(session: AsyncSession, message: str, placeholder: str, language: str) -> None:
    params = {"placeholder": placeholder, "language": language}
    await audit.record(session, AuditType.TEMPLATE, message, params, None)
    await events.operation_template_changed(session, placeholder, language)
