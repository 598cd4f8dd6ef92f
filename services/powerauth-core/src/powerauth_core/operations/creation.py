"""Making an operation from a template (spec/core-api.md §19.2)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import OperationStatus
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
from powerauth_core.operations.stored import StoredOperation
from powerauth_core.templates import repository as templates
from powerauth_core.templates.models import OperationTemplate
from powerauth_core.templates.rules import has_forbidden_characters, missing_parameters, render
from servicekit import clock

_LAST_MOMENT = datetime(9999, 12, 31)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOperation:
    """What an operation is made of, beside its template.

    :ivar applications: public ids of its applications
    :ivar expires: None = as the template says
    :ivar with_proximity: whether a proximity code is asked for; None = as the template says
    :ivar activation_id: the only activation that may approve it
    """

    template_name: str
    applications: Sequence[str]
    user_id: str | None
    external_id: str | None
    activation_flag: str | None
    parameters: Mapping[str, str | None]
    additional_data: dict[str, Any] | None
    expires: datetime | None
    with_proximity: bool | None
    activation_id: str | None


async def create(ports: Ports, wanted: NewOperation, scope: Sequence[str] | None) -> StoredOperation:
    """``operation/create``.

    :param scope: the applications that the caller may touch, None = all
    :raises InvalidRequest: the activation is not the user's, a parameter holds control characters or is
        missing, or the expiry lies in the past
    :raises TemplateNotFound: unknown template
    :raises InvalidApplication: an application is unknown, out of scope or listed twice
    :raises TokenNotGenerated: every generated id was taken
    """
    async with ports.database.transaction() as session:
        now = clock.now()
        user_id = await _owner(session, wanted, scope)
        _check_parameters(wanted.parameters)
        if wanted.expires is not None and wanted.expires < now:
            raise InvalidRequest("requestObject.timestampExpires - must not be in the past")
        template = await templates.find_by_name(session, wanted.template_name)
        if template is None:
            raise TemplateNotFound()
        rids = await application_rids(ports.application_cache, session, wanted.applications, scope)
        if ports.settings.require_operation_parameters:
            _check_completeness(template.data_template, wanted.parameters)
        operation = _new(wanted, template, user_id, now)
        for _ in range(ports.settings.generate_operation_id_iterations):
            operation.id = str(uuid.uuid4())
            if await repository.add(session, operation, rids):
                break
        else:
            raise TokenNotGenerated()
        stored = StoredOperation(operation, tuple(sorted(wanted.applications)))
        await transitions.created(ports.listeners, session, stored)
    return stored


async def application_rids(
    application_cache: ApplicationCache,
    session: AsyncSession,
    application_ids: Sequence[str],
    scope: Sequence[str] | None,
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
        rids.append(identity.application_rid)
    return rids


async def _owner(session: AsyncSession, wanted: NewOperation, scope: Sequence[str] | None) -> str | None:
    if wanted.activation_id is None:
        return wanted.user_id
    activation = await activations.find(session, wanted.activation_id, scope)
    if activation is None or wanted.user_id not in (None, activation.user_id):
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


def _new(wanted: NewOperation, template: OperationTemplate, user_id: str | None, now: datetime) -> Operation:
    with_proximity = wanted.with_proximity
    if with_proximity is None:
        with_proximity = template.proximity_check_enabled
    return Operation(
        user_id=user_id,
        external_id=wanted.external_id,
        activation_flag=wanted.activation_flag,
        operation_type=template.operation_type,
        template_name=template.template_name,
        data=render(template.data_template, wanted.parameters),
        parameters=dict(wanted.parameters),
        additional_data=wanted.additional_data,
        status=OperationStatus.PENDING,
        signature_type=template.signature_type,
        failure_count=0,
        max_failure_count=template.max_failure_count,
        timestamp_created=now,
        timestamp_expires=wanted.expires or _after(now, template.expiration),
        risk_flags=template.risk_flags,
        totp_seed=proximity.new_seed() if with_proximity else None,
        activation_id=wanted.activation_id,
    )


def _after(now: datetime, seconds: int) -> datetime:
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        return _LAST_MOMENT
