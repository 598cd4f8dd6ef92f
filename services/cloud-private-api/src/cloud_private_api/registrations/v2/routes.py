"""HTTP of ``/v2/registrations`` (spec/cloud-api.md §3)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from cloud_private_api.errors import InvalidRequest, Violation
from cloud_private_api.parameters import (
    AppIdQuery,
    ExternalUserIdQuery,
    QueryBool,
    QueryInt,
    QueryText,
    RegistrationIdPath,
    TimestampFromQuery,
    TimestampToQuery,
    UserIdQuery,
)
from cloud_private_api.periods import period_of
from cloud_private_api.registrations.ports import Running
from cloud_private_api.registrations.rules import NewRegistration
from cloud_private_api.registrations.v2 import service
from cloud_private_api.routing import CallerDep, CloudRouter, Repeatable, answer
from powerauth_contracts.cloud import registrations as contract
from powerauth_contracts.cloud.registrations import (
    AddFlags,
    ChangeRegistration,
    CommitRegistration,
    CreateRegistration,
    LookupRegistrations,
    ReplaceFlags,
    UpdateName,
    UpdateOtp,
)
from powerauth_contracts.wire import StatusResponse

router = CloudRouter("Registrations")

_OK = StatusResponse()


@router.answers(contract.CREATE_REGISTRATION_V2)
async def create_registration(
    ports: Running,
    caller: CallerDep,
    request: CreateRegistration,
    incomplete_status_check: Annotated[QueryBool, Query(alias="incompleteStatusCheck")] = False,
) -> Response:
    """Start a registration; answers what to show in the QR code."""
    wanted = NewRegistration(
        user_id=request.user_id,
        app_id=request.app_id,
        otp=request.otp,
        commit_phase=request.commit_phase,
        flags=request.flags,
        otp_validation=request.otp_validation,
        expires=request.timestamp_registration_expire,
    )
    return answer(
        await service.create(ports.core, caller, wanted, incomplete_status_check=incomplete_status_check)
    )


@router.answers(contract.LIST_REGISTRATIONS_V2)
async def list_registrations(
    ports: Running,
    caller: CallerDep,
    user_id: UserIdQuery,
    removed: Annotated[QueryBool, Query()] = False,
    app_id: AppIdQuery = None,
    page: Annotated[QueryInt | None, Query(ge=0, le=1_000_000)] = None,
    size: Annotated[QueryInt | None, Query(ge=1, le=1000)] = None,
) -> Response:
    """The registrations of a user, newest first."""
    return answer(
        await service.list_of_user(
            ports.core, caller, user_id=user_id, removed=removed, app_id=app_id, page=page, size=size
        )
    )


@router.answers(contract.LOOKUP_REGISTRATIONS)
async def lookup_registrations(ports: Running, caller: CallerDep, request: LookupRegistrations) -> Response:
    """Registrations of several users by state, flags and last use."""
    return answer(
        await service.lookup(
            ports.core,
            caller,
            user_ids=request.user_ids,
            app_ids=request.app_ids,
            status=request.registration_status,
            flags=request.flags,
            last_used_before=request.timestamp_last_used_before,
            last_used_after=request.timestamp_last_used_after,
        )
    )


@router.answers(contract.GET_REGISTRATION_V2)
async def get_registration(
    ports: Running, caller: CallerDep, registration_id: RegistrationIdPath
) -> Response:
    """One registration."""
    return answer(await service.detail(ports, caller, registration_id))


@router.answers(contract.COMMIT_REGISTRATION_V2)
async def commit_registration(
    ports: Running,
    caller: CallerDep,
    registration_id: RegistrationIdPath,
    request: CommitRegistration | None = None,
) -> Response:
    """Make a registration ACTIVE."""
    given = request or CommitRegistration()
    await service.commit(
        ports.core, caller, registration_id, otp=given.otp, external_user_id=given.external_user_id
    )
    return answer(_OK)


@router.answers(contract.CHANGE_REGISTRATION_V2)
async def change_registration(
    ports: Running, caller: CallerDep, registration_id: RegistrationIdPath, request: ChangeRegistration
) -> Response:
    """Block or unblock a registration."""
    who = request.external_user_id
    if request.change == "BLOCK":
        await service.block(
            ports.core, caller, registration_id, reason=request.blocked_reason, external_user_id=who
        )
    else:
        await service.unblock(ports.core, caller, registration_id, external_user_id=who)
    return answer(_OK)


@router.answers(contract.REMOVE_REGISTRATION_V2)
async def remove_registration(
    ports: Running,
    caller: CallerDep,
    registration_id: RegistrationIdPath,
    external_user_id: ExternalUserIdQuery = None,
    revoke_recovery_codes: Annotated[QueryBool, Query(alias="revokeRecoveryCodes")] = True,
) -> Response:
    """Remove a registration."""
    await service.remove(
        ports.core,
        caller,
        registration_id,
        external_user_id=external_user_id,
        revoke_recovery_codes=revoke_recovery_codes,
    )
    return answer(_OK)


@router.answers(contract.UPDATE_REGISTRATION_OTP)
async def update_registration_otp(
    ports: Running, caller: CallerDep, registration_id: RegistrationIdPath, request: UpdateOtp
) -> Response:
    """Set the OTP that the commit will need."""
    await service.update_otp(
        ports.core, caller, registration_id, request.otp, external_user_id=request.external_user_id
    )
    return answer(_OK)


@router.answers(contract.UPDATE_REGISTRATION_NAME)
async def update_registration_name(
    ports: Running, caller: CallerDep, registration_id: RegistrationIdPath, request: UpdateName
) -> Response:
    """Rename a registration."""
    await service.update_name(
        ports.core, caller, registration_id, request.name, external_user_id=request.external_user_id
    )
    return answer(_OK)


@router.answers(contract.GET_REGISTRATION_FLAGS)
async def get_flags(ports: Running, caller: CallerDep, registration_id: RegistrationIdPath) -> Response:
    """The flags of a registration."""
    return answer(await service.flags(ports.core, caller, registration_id))


@router.answers(contract.ADD_REGISTRATION_FLAGS)
async def add_flags(
    ports: Running, caller: CallerDep, registration_id: RegistrationIdPath, request: AddFlags
) -> Response:
    """Add flags."""
    return answer(await service.add_flags(ports.core, caller, registration_id, request.flags))


@router.answers(contract.UPDATE_REGISTRATION_FLAGS)
async def replace_flags(
    ports: Running, caller: CallerDep, registration_id: RegistrationIdPath, request: ReplaceFlags
) -> Response:
    """Replace all flags."""
    return answer(await service.replace_flags(ports.core, caller, registration_id, request.flags))


@router.answers(contract.REMOVE_REGISTRATION_FLAGS)
async def remove_flags(
    ports: Running,
    caller: CallerDep,
    registration_id: RegistrationIdPath,
    flags: Annotated[list[QueryText], Repeatable(separator=b","), Query(max_length=1000)],
) -> Response:
    """Remove the flags of a list, separated by commas or repeated; a comma in a flag is `%2C`."""
    named = [flag for flag in flags if flag]
    if not named:
        raise InvalidRequest(Violation("flags", "must not be empty", "", parameter=True))
    return answer(await service.remove_flags(ports.core, caller, registration_id, named))


@router.answers(contract.GET_REGISTRATION_HISTORY)
async def get_history(
    ports: Running,
    caller: CallerDep,
    registration_id: RegistrationIdPath,
    timestamp_from: TimestampFromQuery = None,
    timestamp_to: TimestampToQuery = None,
) -> Response:
    """What happened to a registration, newest first."""
    period = period_of(timestamp_from, timestamp_to, ports.settings.audit_default_days)
    if period.backwards:
        raise InvalidRequest(
            Violation("timestampFrom", "must not be after timestampTo", timestamp_from, parameter=True)
        )
    return answer(await service.history(ports.core, caller, registration_id, period))
