"""HTTP of ``/v2/registrations`` (spec/cloud-api.md §3)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from cloud_private_api.callers import CallerDep
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
from cloud_private_api.queries import Repeatable
from cloud_private_api.registrations.ports import Running
from cloud_private_api.registrations.v2 import service
from cloud_private_api.routing import answer, cloud_router
from powerauth_contracts.cloud.registrations import (
    AddFlags,
    ChangeRegistration,
    CommitRegistration,
    CreateRegistration,
    Flags,
    History,
    LookupRegistrations,
    Registration,
    RegistrationCreated,
    Registrations,
    ReplaceFlags,
    UpdateName,
    UpdateOtp,
)
from powerauth_contracts.wire import StatusResponse

router = cloud_router("Registrations")

_OK = StatusResponse()


@router.post("/v2/registrations", operation_id="createRegistrationV2", response_model=RegistrationCreated)
async def create_registration(
    ports: Running,
    caller: CallerDep,
    request: CreateRegistration,
    incomplete_status_check: Annotated[QueryBool, Query(alias="incompleteStatusCheck")] = False,
) -> Response:
    """Start a registration; answers what to show in the QR code."""
    return answer(
        await service.create(ports.core, caller, request, incomplete_status_check=incomplete_status_check)
    )


@router.get("/v2/registrations", operation_id="listRegistrationsV2", response_model=Registrations)
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


@router.post("/v2/registrations/lookup", operation_id="lookupRegistrations", response_model=Registrations)
async def lookup_registrations(ports: Running, caller: CallerDep, request: LookupRegistrations) -> Response:
    """Registrations of several users by state, flags and last use."""
    return answer(await service.lookup(ports.core, caller, request))


@router.get(
    "/v2/registrations/{registrationId}", operation_id="getRegistrationV2", response_model=Registration
)
async def get_registration(
    ports: Running, caller: CallerDep, registration_id: RegistrationIdPath
) -> Response:
    """One registration."""
    return answer(await service.detail(ports, caller, registration_id))


@router.post(
    "/v2/registrations/{registrationId}/commit",
    operation_id="commitRegistrationV2",
    response_model=StatusResponse,
)
async def commit_registration(
    ports: Running,
    caller: CallerDep,
    registration_id: RegistrationIdPath,
    request: CommitRegistration | None = None,
) -> Response:
    """Make a registration ACTIVE."""
    await service.commit(ports.core, caller, registration_id, request or CommitRegistration())
    return answer(_OK)


@router.put(
    "/v2/registrations/{registrationId}", operation_id="changeRegistrationV2", response_model=StatusResponse
)
async def change_registration(
    ports: Running, caller: CallerDep, registration_id: RegistrationIdPath, request: ChangeRegistration
) -> Response:
    """Block or unblock a registration."""
    await service.change(ports.core, caller, registration_id, request)
    return answer(_OK)


@router.delete(
    "/v2/registrations/{registrationId}", operation_id="removeRegistrationV2", response_model=StatusResponse
)
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


@router.put(
    "/v2/registrations/{registrationId}/otp",
    operation_id="updateRegistrationOtp",
    response_model=StatusResponse,
)
async def update_registration_otp(
    ports: Running, caller: CallerDep, registration_id: RegistrationIdPath, request: UpdateOtp
) -> Response:
    """Set the OTP that the commit will need."""
    await service.update_otp(ports.core, caller, registration_id, request)
    return answer(_OK)


@router.put(
    "/v2/registrations/{registrationId}/name",
    operation_id="updateRegistrationName",
    response_model=StatusResponse,
)
async def update_registration_name(
    ports: Running, caller: CallerDep, registration_id: RegistrationIdPath, request: UpdateName
) -> Response:
    """Rename a registration."""
    await service.update_name(ports.core, caller, registration_id, request)
    return answer(_OK)


@router.get(
    "/v2/registrations/{registrationId}/flags", operation_id="getRegistrationFlags", response_model=Flags
)
async def get_flags(ports: Running, caller: CallerDep, registration_id: RegistrationIdPath) -> Response:
    """The flags of a registration."""
    return answer(await service.flags(ports.core, caller, registration_id))


@router.post(
    "/v2/registrations/{registrationId}/flags", operation_id="addRegistrationFlags", response_model=Flags
)
async def add_flags(
    ports: Running, caller: CallerDep, registration_id: RegistrationIdPath, request: AddFlags
) -> Response:
    """Add flags."""
    return answer(await service.add_flags(ports.core, caller, registration_id, request.flags))


@router.put(
    "/v2/registrations/{registrationId}/flags", operation_id="updateRegistrationFlags", response_model=Flags
)
async def replace_flags(
    ports: Running, caller: CallerDep, registration_id: RegistrationIdPath, request: ReplaceFlags
) -> Response:
    """Replace all flags."""
    return answer(await service.replace_flags(ports.core, caller, registration_id, request.flags))


@router.delete(
    "/v2/registrations/{registrationId}/flags", operation_id="removeRegistrationFlags", response_model=Flags
)
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


@router.get(
    "/v2/registrations/{registrationId}/history",
    operation_id="getRegistrationHistory",
    response_model=History,
)
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
