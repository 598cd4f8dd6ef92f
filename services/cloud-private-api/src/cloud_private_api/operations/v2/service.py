"""Use cases of operations (spec/cloud-api.md §5, §6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from cloud_private_api.access.rules import Caller, given_or_all
from cloud_private_api.core_errors import Area, in_area
from cloud_private_api.errors import (
    InvalidRequest,
    OperationNotFound,
    RegistrationNotFound,
    UpstreamFailed,
    Violation,
)
from cloud_private_api.operations import rules
from cloud_private_api.operations.ports import Ports
from cloud_private_api.parameters import Page, is_core_id
from cloud_private_api.parts import WithCore
from cloud_private_api.registrations.rules import checked_expiry
from cloud_private_api.registrations.v2.service import status_in_scope
from powerauth_contracts.cloud.operations import Operation, Operations
from powerauth_contracts.rest import operations as contract
from powerauth_contracts.texts import CoreRefused
from servicekit import clock
from servicekit.errors import Unavailable
from servicekit.logs import get_logger

_log = get_logger(__name__)


@in_area(Area.OPERATIONS)
async def create(
    ports: Ports,
    caller: Caller,
    *,
    user_id: str | None,
    template: str,
    external_id: str | None,
    parameters: Mapping[str, str] | None,
    applications: Sequence[str] | None = None,
    expires: datetime | None = None,
    flag: str | None = None,
    registration_id: str | None = None,
    additional_data: Mapping[str, Any] | None = None,
    with_proximity: bool | None = None,
    language: str,
    silent: bool = False,
) -> Operation:
    """Create an operation in the given applications, by default all of the caller's, and announce it.

    :param language: of the announcement
    :param silent: it is not announced
    """
    applications = given_or_all(caller, applications)
    expires = checked_expiry(expires, clock.now(), "timestampExpires")
    user_id = await _owner(ports, user_id, registration_id, applications)
    made = await _created(
        ports,
        applications=applications,
        application_ids=applications,
        template_name=template,
        user_id=user_id,
        external_id=external_id,
        activation_flag=flag,
        activation_id=registration_id,
        timestamp_expires=expires,
        parameters=parameters,
        additional_data=additional_data,
        proximity_check_enabled=with_proximity,
    )
    shown = rules.shown(made)
    shown.number_matching = made.number_matching
    shown.push_sent = not silent and await ports.announcements.operation(made, language)
    shown.warnings = await _warnings(ports, made.operation_type)
    return shown


async def _created(ports: Ports, **members: object) -> contract.OperationDetailResponse:
    """Have the core make an operation.

    :raises InvalidRequest: the template wants parameters that are not given; they are named
    """
    try:
        return await ports.core.ask(contract.CREATE, **members)
    except CoreRefused as refusal:
        names = refusal.details.get("missingParameters")
        if not names:
            raise
        missing = [Violation(f"parameters.{name}", "must not be null") for name in names]
        message = f"missing parameters: {', '.join(names)}"
        raise InvalidRequest(*missing, message=message) from None


async def _warnings(ports: Ports, operation_type: str) -> list[str] | None:
    """What the maker of an operation should know; the operation is made, so nothing here may fail."""
    try:
        texts = await ports.texts.of_type(operation_type)
    except (CoreRefused, UpstreamFailed, Unavailable) as error:
        _log.warning("texts of an operation not looked at", reason=type(error).__name__)
        return None
    if texts:
        return None
    return [f"there are no texts for operation type {operation_type}: the app cannot show the operation"]


async def _owner(
    ports: Ports, user_id: str | None, registration_id: str | None, applications: Sequence[str]
) -> str | None:
    """The user of the operation: the named one, or that of the registration it is bound to.

    :raises RegistrationNotFound: unknown registration, or of another application or user
    """
    if registration_id is None:
        return user_id
    registration = await status_in_scope(ports.core, applications, registration_id)
    if user_id not in (None, registration.user_id):
        raise RegistrationNotFound
    return registration.user_id


async def find(ports: WithCore, caller: Caller, operation_id: str) -> contract.OperationDetailResponse:
    """An operation that the caller may see.

    :raises OperationNotFound: unknown, or of no application of the caller
    """
    found = await ports.core.ask(
        contract.DETAIL, operation_id=checked(caller, operation_id), application_ids=caller.applications
    )
    if set(caller.applications).isdisjoint(found.applications):
        raise OperationNotFound
    return found


def checked(caller: Caller, operation_id: str) -> str:
    """The id, if the core can be asked about it: an empty list of applications would mean "all" to it."""
    if not caller.applications or not is_core_id(operation_id):
        raise OperationNotFound
    return operation_id


@in_area(Area.OPERATIONS)
async def detail(ports: Ports, caller: Caller, operation_id: str) -> Operation:
    """One operation; reading does not claim it."""
    return rules.detail(await find(ports, caller, operation_id))


@in_area(Area.OPERATIONS)
async def cancel(ports: Ports, caller: Caller, operation_id: str, *, status_reason: str | None) -> None:
    """PENDING becomes CANCELED."""
    await ports.core.tell(
        contract.CANCEL,
        operation_id=checked(caller, operation_id),
        application_ids=caller.applications,
        status_reason=status_reason,
    )


@in_area(Area.OPERATIONS)
async def list_of_user(
    ports: Ports, caller: Caller, user_id: str, page: Page, *, pending: bool, registration_id: str | None
) -> Operations:
    """A user's operations, newest first; with a registration those that it can approve."""
    if not caller.applications:
        return Operations(operations=[])
    if registration_id is not None:
        # To the core an unknown registration is one without flags; here it is not found, like a foreign one.
        registration = await status_in_scope(ports.core, caller.applications, registration_id)
        if registration.user_id != user_id:
            raise RegistrationNotFound
    found = await ports.core.ask(
        contract.LIST_PENDING if pending else contract.LIST,
        user_id=user_id,
        applications=caller.applications,
        application_ids=caller.applications,
        activation_id=registration_id,
        page_number=page.number,
        page_size=page.size,
    )
    return Operations(operations=[rules.listed(item) for item in rules.newest_first(found)])


@in_area(Area.OPERATIONS)
async def list_external(ports: Ports, caller: Caller, external_id: str, page: Page) -> Operations:
    """Operations with the bank's own id, newest first."""
    if not caller.applications:
        return Operations(operations=[])
    found = await ports.core.ask(
        contract.LIST_EXTERNAL,
        external_id=external_id,
        applications=caller.applications,
        application_ids=caller.applications,
        page_number=page.number,
        page_size=page.size,
    )
    return Operations(operations=[rules.listed(item) for item in rules.newest_first(found)])


@in_area(Area.OPERATIONS)
async def claim(ports: Ports, caller: Caller, operation_id: str, user_id: str) -> Operation:
    """Bind an operation without an owner to a user."""
    return rules.detail(await give(ports, caller, checked(caller, operation_id), user_id))


async def give(
    ports: WithCore, caller: Caller, operation_id: str, user_id: str
) -> contract.OperationDetailResponse:
    """Have the core bind an operation to a user."""
    return await ports.core.ask(
        contract.CLAIM, operation_id=operation_id, application_ids=caller.applications, user_id=user_id
    )


@in_area(Area.OPERATIONS)
async def fail(
    ports: Ports, caller: Caller, operation_id: str, additional_data: Mapping[str, Any] | None
) -> Operation:
    """Count one failed attempt."""
    outcome = await ports.core.ask(
        contract.APPROVE_FAIL,
        operation_id=checked(caller, operation_id),
        application_ids=caller.applications,
        additional_data=additional_data,
    )
    return rules.detail(outcome.operation)


@in_area(Area.OPERATIONS)
async def reject(
    ports: Ports,
    caller: Caller,
    operation_id: str,
    *,
    user_id: str,
    app_id: str,
    status_reason: str | None = None,
    additional_data: Mapping[str, Any] | None,
) -> Operation:
    """Reject for a user who asked the support desk to."""
    operation = await find(ports, caller, operation_id)
    if operation.user_id not in (None, user_id):
        raise OperationNotFound
    if app_id not in caller.applications or app_id not in operation.applications:
        raise InvalidRequest(Violation("appId", "is not an application of the operation", app_id))
    outcome = await ports.core.ask(
        contract.REJECT,
        operation_id=operation.id,
        application_ids=caller.applications,
        user_id=user_id,
        application_id=app_id,
        status_reason=status_reason,
        additional_data=additional_data,
    )
    return rules.detail(outcome.operation)
