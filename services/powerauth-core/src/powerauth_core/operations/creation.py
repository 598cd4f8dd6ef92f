"""Making an operation from a template (spec/core-api.md §19.2)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import OperationStatus
from powerauth_contracts.rest.operations import OperationCreateRequest, OperationDetailResponse
from powerauth_core.activations import repository as activations
from powerauth_core.applications.cache import ApplicationCache
from powerauth_core.kernel.errors import (
    InvalidApplication,
    InvalidRequest,
    TemplateNotFound,
    TokenNotGenerated,
)
from powerauth_core.operations import proximity, repository, transitions
from powerauth_core.operations.models import Operation
from powerauth_core.operations.ports import Ports
from powerauth_core.operations.rendering import has_forbidden_characters, missing_parameters, render
from powerauth_core.operations.repository import StoredOperation
from powerauth_core.operations.views import detail_view
from powerauth_core.templates import repository as templates
from powerauth_core.templates.models import OperationTemplate
from servicekit import clock

_LAST_MOMENT = datetime(9999, 12, 31)


async def create(ports: Ports, request: OperationCreateRequest) -> OperationDetailResponse:
    """``operation/create``.

    :raises InvalidRequest: the activation is not the user's, a parameter holds control characters or is
        missing, or the expiry lies in the past
    :raises TemplateNotFound: unknown template
    :raises InvalidApplication: an application is unknown, out of scope or listed twice
    :raises TokenNotGenerated: every generated id was taken
    """
    async with ports.database.transaction() as session:
        operation = await create_in(ports, session, request)
    return detail_view(
        operation,
        clock.now(),
        proximity_otp=proximity.current_otp(ports.settings, operation.row.totp_seed),
    )


async def create_in(ports: Ports, session: AsyncSession, request: OperationCreateRequest) -> StoredOperation:
    """`create` inside the caller's transaction."""
    now = clock.now()
    user_id = await _owner(session, request)
    parameters = request.parameters or {}
    _check_parameters(parameters)
    if request.timestamp_expires is not None and request.timestamp_expires < now:
        raise InvalidRequest("requestObject.timestampExpires - must not be in the past")
    template = await templates.find_by_name(session, request.template_name)
    if template is None:
        raise TemplateNotFound()
    rids = await application_rids(
        ports.application_cache, session, request.applications, request.application_ids
    )
    if ports.settings.require_operation_parameters:
        _check_completeness(template.data_template, parameters)
    operation = _new(request, template, user_id, parameters, now)
    for _ in range(ports.settings.generate_operation_id_iterations):
        operation.id = str(uuid.uuid4())
        if await repository.add(session, operation, rids):
            break
    else:
        raise TokenNotGenerated()
    stored = StoredOperation(operation, tuple(sorted(request.applications)))
    await transitions.created(ports.listeners, session, stored)
    return stored


async def application_rids(
    application_cache: ApplicationCache,
    session: AsyncSession,
    application_ids: list[str],
    scope: list[str] | None,
) -> list[int]:
    """Row ids of the named applications.

    :param scope: the applications that the caller may touch, None = all
    :raises InvalidApplication: one is unknown, out of scope or named twice
    """
    if len(set(application_ids)) != len(application_ids):
        raise InvalidApplication()
    rids = []
    for application_id in application_ids:
        identity = await application_cache.by_id(session, application_id)
        if identity is None or (scope is not None and application_id not in scope):
            raise InvalidApplication()
        rids.append(identity.rid)
    return rids


async def _owner(session: AsyncSession, request: OperationCreateRequest) -> str | None:
    if request.activation_id is None:
        return request.user_id
    activation = await activations.find(session, request.activation_id, request.application_ids)
    if activation is None or request.user_id not in (None, activation.user_id):
        raise InvalidRequest("requestObject.activationId - must belong to the user")
    return activation.user_id


def _check_parameters(parameters: Mapping[str, str | None]) -> None:
    for value in parameters.values():
        if value is not None and has_forbidden_characters(value):
            raise InvalidRequest("requestObject.parameters - must not contain control characters")


def _check_completeness(template: str, parameters: Mapping[str, str | None]) -> None:
    missing = missing_parameters(template, parameters)
    if missing:
        raise InvalidRequest(
            f"requestObject.parameters - missing parameters: {', '.join(missing)}",
            extra={"missingParameters": missing},
        )


def _new(
    request: OperationCreateRequest,
    template: OperationTemplate,
    user_id: str | None,
    parameters: Mapping[str, str | None],
    now: datetime,
) -> Operation:
    with_proximity = request.proximity_check_enabled
    if with_proximity is None:
        with_proximity = template.proximity_check_enabled
    return Operation(
        user_id=user_id,
        external_id=request.external_id,
        activation_flag=request.activation_flag,
        operation_type=template.operation_type,
        template_name=template.template_name,
        data=render(template.data_template, parameters),
        parameters=dict(parameters),
        additional_data=request.additional_data,
        status=OperationStatus.PENDING,
        signature_type=template.signature_type,
        failure_count=0,
        max_failure_count=template.max_failure_count,
        timestamp_created=now,
        timestamp_expires=request.timestamp_expires or _after(now, template.expiration),
        risk_flags=template.risk_flags,
        totp_seed=proximity.new_seed() if with_proximity else None,
        activation_id=request.activation_id,
    )


def _after(now: datetime, seconds: int) -> datetime:
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        return _LAST_MOMENT
