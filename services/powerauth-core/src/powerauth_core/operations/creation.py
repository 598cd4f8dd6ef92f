"""Making an operation from a template (spec/core-api.md §19.2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from powerauth_contracts.enums import OperationStatus
from powerauth_core.activations import reads as activations
from powerauth_core.activations.stored import ActivationRow
from powerauth_core.kernel.errors import (
    InvalidApplication,
    InvalidRequest,
    TemplateNotFound,
)
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.operations import number_matching, proximity
from powerauth_core.operations.creator import Creation, new_id
from powerauth_core.operations.ports import CreationPorts, Ports, ReadingPorts
from powerauth_core.operations.stored import OperationRow, StoredOperation
from powerauth_core.templates.cache import Template
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


async def create(ports: CreationPorts, wanted: NewOperation, scope: Sequence[str] | None) -> StoredOperation:
    """``operation/create``.

    :param scope: the applications that the caller may touch, None = all
    :raises InvalidRequest: the activation is not the user's, a parameter holds control characters or is
        missing, or the expiry lies in the past
    :raises TemplateNotFound: unknown template
    :raises InvalidApplication: an application is unknown, out of scope or listed twice
    :raises TokenNotGenerated: every generated id was taken
    :raises TooManyOperations: the user is asked too often
    """
    user_id = await _owner(ports, wanted, scope)
    now = clock.now()
    _check_parameters(wanted.parameters)
    if wanted.expires is not None and wanted.expires < now:
        raise InvalidRequest("requestObject.timestampExpires - must not be in the past")
    template = await ports.template_cache.of_name(ports.database, wanted.template_name)
    if template is None:
        raise TemplateNotFound()
    rids = await rids_of(ports, wanted.applications, scope)
    if ports.settings.require_operation_parameters:
        _check_completeness(template.data_template, wanted.parameters)
    row = _new(ports.cipher, wanted, template, user_id, now)
    operation = StoredOperation(row, tuple(sorted(wanted.applications)))
    limits = template.user_limits if user_id is not None else None
    return await ports.operation_creator.store(Creation(operation, rids, limits))


async def rids_of(ports: Ports, application_ids: Sequence[str], scope: Sequence[str] | None) -> list[int]:
    """Row ids of named applications.

    :param scope: the applications that the caller may touch, None = all
    :raises InvalidApplication: one is unknown, out of scope or named twice
    """
    names = set(application_ids)
    if len(names) != len(application_ids) or (scope is not None and not names.issubset(scope)):
        raise InvalidApplication()
    rids = []
    for application_id in application_ids:
        application = await ports.application_cache.of_id(ports.database, application_id)
        if application is None:
            raise InvalidApplication()
        rids.append(application.application_rid)
    return rids


async def activation_in_scope(
    ports: ReadingPorts, activation_id: str, scope: Sequence[str] | None
) -> ActivationRow | None:
    """The activation as it is now; None if it is unknown or out of scope."""
    activation = await activations.find(ports.database.fetch, ports.row_macs, activation_id)
    if activation is None or scope is None:
        return activation
    application = await ports.application_cache.of_row(ports.database, activation.application_id)
    return activation if application is not None and application.application_id in scope else None


async def _owner(ports: ReadingPorts, wanted: NewOperation, scope: Sequence[str] | None) -> str | None:
    if wanted.activation_id is None:
        return wanted.user_id
    activation = await activation_in_scope(ports, wanted.activation_id, scope)
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


def _new(
    cipher: RecordCipher, wanted: NewOperation, template: Template, user_id: str | None, now: datetime
) -> OperationRow:
    with_proximity = wanted.with_proximity
    if with_proximity is None:
        with_proximity = template.with_proximity
    operation_id = new_id()
    numbered = number_matching.make(cipher, template.number_matching, operation_id)
    return OperationRow(
        id=operation_id,
        user_id=user_id,
        external_id=wanted.external_id,
        activation_flag=wanted.activation_flag,
        operation_type=template.operation_type,
        template_name=template.name,
        data=render(template.data_template, wanted.parameters),
        parameters=dict(wanted.parameters),
        additional_data=wanted.additional_data,
        status=OperationStatus.PENDING,
        signature_type=template.signature_type,
        failure_count=0,
        max_failure_count=template.max_failure_count,
        timestamp_created=now,
        timestamp_expires=wanted.expires or _after(now, template.expiration),
        timestamp_finalized=None,
        risk_flags=template.risk_flags,
        totp_seed=proximity.new_seed() if with_proximity else None,
        activation_id=wanted.activation_id,
        status_reason=None,
        number_matching=numbered.shown,
        number_secret=numbered.secret,
        number_secret_encryption=numbered.encryption,
        unexpected_action=template.unexpected_action,
    )


def _after(now: datetime, seconds: int) -> datetime:
    try:
        return now + timedelta(seconds=seconds)
    except OverflowError:
        return _LAST_MOMENT
