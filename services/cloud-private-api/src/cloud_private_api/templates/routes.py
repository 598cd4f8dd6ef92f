"""HTTP of operation templates and texts for the app (spec/cloud-api.md §11.7)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.responses import Response

from cloud_private_api.routing import CallerDep, CloudRouter, answer
from cloud_private_api.templates import service
from cloud_private_api.templates.ports import Running
from cloud_private_api.templates.rules import TemplateContent
from powerauth_contracts.cloud import templates as contract
from powerauth_contracts.cloud.templates import SaveText, Template, UpdateTemplate
from powerauth_contracts.wire import StatusResponse

router = CloudRouter("Operation Templates")

TemplateNamePath = Annotated[str, Path(alias="templateName")]
OperationTypePath = Annotated[str, Path(alias="operationType")]
LanguagePath = Annotated[str, Path(alias="language")]


@router.answers(contract.LIST_OPERATION_TEMPLATES)
async def list_templates(ports: Running) -> Response:
    """All templates."""
    return answer(await service.list_all(ports))


@router.answers(contract.CREATE_OPERATION_TEMPLATE)
async def create_template(ports: Running, caller: CallerDep, request: Template) -> Response:
    """Make a template."""
    return answer(await service.create(ports, caller, request.template_name, _content(request)))


@router.answers(contract.GET_OPERATION_TEMPLATE)
async def get_template(ports: Running, template_name: TemplateNamePath) -> Response:
    """One template."""
    return answer(await service.detail(ports, template_name))


@router.answers(contract.UPDATE_OPERATION_TEMPLATE)
async def update_template(
    ports: Running, caller: CallerDep, template_name: TemplateNamePath, request: UpdateTemplate
) -> Response:
    """Replace a template's content."""
    return answer(await service.update(ports, caller, template_name, _content(request)))


@router.answers(contract.REMOVE_OPERATION_TEMPLATE)
async def remove_template(ports: Running, caller: CallerDep, template_name: TemplateNamePath) -> Response:
    """Remove a template."""
    await service.remove(ports, caller, template_name)
    return answer(StatusResponse())


@router.answers(contract.LIST_OPERATION_TEXTS)
async def list_texts(ports: Running) -> Response:
    """All texts for the app."""
    return answer(await service.list_texts(ports))


@router.answers(contract.GET_OPERATION_TEXT)
async def get_text(ports: Running, operation_type: OperationTypePath, language: LanguagePath) -> Response:
    """The text of one operation type in one language."""
    return answer(await service.text(ports, operation_type, language))


@router.answers(contract.UPDATE_OPERATION_TEXT)
async def put_text(
    ports: Running,
    caller: CallerDep,
    operation_type: OperationTypePath,
    language: LanguagePath,
    request: SaveText,
) -> Response:
    """Insert or replace a text."""
    parts = request.model_dump(exclude_none=True)
    return answer(
        await service.put_text(
            ports,
            caller,
            operation_type,
            language,
            title=request.title,
            message=request.message,
            attributes=parts.get("attributes"),
            ui=parts.get("ui"),
            result_texts=parts.get("resultTexts"),
        )
    )


@router.answers(contract.REMOVE_OPERATION_TEXT)
async def remove_text(
    ports: Running, caller: CallerDep, operation_type: OperationTypePath, language: LanguagePath
) -> Response:
    """Remove a text."""
    await service.remove_text(ports, caller, operation_type, language)
    return answer(StatusResponse())


def _content(request: UpdateTemplate) -> TemplateContent:
    return TemplateContent(
        operation_type=request.operation_type,
        data_template=request.data_template,
        signature_type=request.signature_type,
        max_failure_count=request.max_failure_count,
        expiration=request.expiration,
        risk_flags=request.risk_flags,
        proximity_check_enabled=request.proximity_check_enabled,
        issue_tokens=request.issue_tokens,
        protection=_protection(request),
    )


def _protection(request: UpdateTemplate) -> dict[str, object]:
    number, limits = request.number_matching, request.user_limits
    protection = {
        "number_matching": None if number is None else number.model_dump(by_alias=True),
        "on_unexpected_operation": request.on_unexpected_operation,
        "user_limits": None if limits is None else limits.model_dump(by_alias=True),
    }
    return {name: value for name, value in protection.items() if name in request.model_fields_set}
