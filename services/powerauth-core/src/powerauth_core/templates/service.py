"""Operation templates (spec/core-api.md §20). Operations copy them: a change concerns later ones."""

from __future__ import annotations

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.rest.templates import (
    OperationTemplateCreateRequest,
    OperationTemplateDetailRequest,
    OperationTemplateDetailResponse,
    OperationTemplateRemoveRequest,
    OperationTemplateUpdateRequest,
)
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.kernel.errors import TemplateExists, TemplateNotFound
from powerauth_core.templates import repository
from powerauth_core.templates.models import OperationTemplate
from powerauth_core.templates.rules import signature_type_column, signature_types
from servicekit.database import Database


async def create(
    database: Database, request: OperationTemplateCreateRequest
) -> OperationTemplateDetailResponse:
    """``operation/template/create``.

    :raises TemplateExists: the name is taken
    """
    template = OperationTemplate(template_name=request.template_name)
    _fill(template, request)
    async with database.transaction() as session:
        if await repository.find_by_name(session, request.template_name) is not None:
            raise TemplateExists()
        session.add(template)
        try:
            await session.flush()
        except IntegrityError:
            # Somebody else took the name in the meantime.
            raise TemplateExists() from None
        await _record(session, "Operation template created", template)
        return _view(template)


async def update(
    database: Database, request: OperationTemplateUpdateRequest
) -> OperationTemplateDetailResponse:
    """``operation/template/update``.

    :raises TemplateNotFound: unknown id
    """
    async with database.transaction() as session:
        template = await repository.lock(session, database.dialect, request.id)
        if template is None:
            raise TemplateNotFound()
        _fill(template, request)
        await session.flush()
        await _record(session, "Operation template updated", template)
        return _view(template)


async def detail(
    database: Database, request: OperationTemplateDetailRequest
) -> OperationTemplateDetailResponse:
    """``operation/template/detail``.

    :raises TemplateNotFound: unknown id
    """
    async with database.read() as session:
        template = await repository.find(session, request.id)
    if template is None:
        raise TemplateNotFound()
    return _view(template)


async def list_all(database: Database) -> list[OperationTemplateDetailResponse]:
    """``operation/template/list``: all templates, by id."""
    async with database.read() as session:
        return [_view(template) for template in await repository.list_all(session)]


async def remove(database: Database, request: OperationTemplateRemoveRequest) -> None:
    """``operation/template/remove``.

    :raises TemplateNotFound: unknown id
    """
    async with database.transaction() as session:
        template = await repository.lock(session, database.dialect, request.id)
        if template is None:
            raise TemplateNotFound()
        await session.delete(template)
        await session.flush()
        await _record(session, "Operation template removed", template)


def _fill(
    template: OperationTemplate, request: OperationTemplateCreateRequest | OperationTemplateUpdateRequest
) -> None:
    template.operation_type = request.operation_type
    template.data_template = request.data_template
    template.signature_type = signature_type_column(request.signature_type)
    template.max_failure_count = request.max_failure_count
    template.expiration = request.expiration
    template.risk_flags = request.risk_flags
    template.proximity_check_enabled = request.proximity_check_enabled


def _view(template: OperationTemplate) -> OperationTemplateDetailResponse:
    return OperationTemplateDetailResponse(
        id=template.id,
        template_name=template.template_name,
        operation_type=template.operation_type,
        data_template=template.data_template,
        signature_type=list(signature_types(template.signature_type)),
        max_failure_count=template.max_failure_count,
        expiration=template.expiration,
        risk_flags=template.risk_flags,
        proximity_check_enabled=template.proximity_check_enabled,
    )


async def _record(session: AsyncSession, message: str, template: OperationTemplate) -> None:
    params = _view(template).model_dump(mode="json")
    await audit.record(session, AuditType.TEMPLATE, message, params, None)
