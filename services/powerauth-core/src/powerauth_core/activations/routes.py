"""HTTP side of the activation calls (spec/core-api.md §7)."""

from fastapi import APIRouter

from powerauth_contracts.rest.activation_administration import (
    ActivationHistoryRequest,
    ActivationHistoryResponse,
    BlockActivationRequest,
    BlockActivationResponse,
    ChangeFlagsRequest,
    FlagsResponse,
    ListActivationsRequest,
    ListActivationsResponse,
    ListFlagsRequest,
    LookupActivationsRequest,
    LookupActivationsResponse,
    RemoveActivationRequest,
    RemoveActivationResponse,
    RenameActivationRequest,
    RenameActivationResponse,
    UnblockActivationRequest,
    UnblockActivationResponse,
    UpdateStatusRequest,
    UpdateStatusResponse,
)
from powerauth_contracts.rest.activations import (
    ActivationStatusRequest,
    ActivationStatusResponse,
    CommitActivationRequest,
    CommitActivationResponse,
    InitActivationRequest,
    InitActivationResponse,
    UpdateOtpRequest,
    UpdateOtpResponse,
)
from powerauth_contracts.wire import ObjectRequest, ObjectResponse
from powerauth_core.activations import administration, flags, initialisation, listing, status
from powerauth_core.activations import commit as committing
from powerauth_core.activations.ports import Running
from powerauth_core.kernel.answers import answer
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3/activation", tags=["Activations"], route_class=JsonRoute)


@router.post("/init", response_model=ObjectResponse[InitActivationResponse])
async def init(request: ObjectRequest[InitActivationRequest], ports: Running) -> JsonResponse:
    """Start an activation that a device joins by its code."""
    return answer(await initialisation.init_activation(ports, request.request_object))


@router.post("/commit", response_model=ObjectResponse[CommitActivationResponse])
async def commit(request: ObjectRequest[CommitActivationRequest], ports: Running) -> JsonResponse:
    """Make an activation ACTIVE after its key exchange."""
    return answer(await committing.commit_activation(ports, request.request_object))


@router.post("/otp/update", response_model=ObjectResponse[UpdateOtpResponse])
async def update_otp(request: ObjectRequest[UpdateOtpRequest], ports: Running) -> JsonResponse:
    """Replace the OTP that the commit asks for."""
    return answer(await committing.update_otp(ports, request.request_object))


@router.post("/status", response_model=ObjectResponse[ActivationStatusResponse])
async def get_status(request: ObjectRequest[ActivationStatusRequest], ports: Running) -> JsonResponse:
    """Everything about one activation."""
    return answer(await status.get_status(ports, request.request_object))


@router.post("/list", response_model=ObjectResponse[ListActivationsResponse])
async def list_activations(request: ObjectRequest[ListActivationsRequest], ports: Running) -> JsonResponse:
    """Activations of a user."""
    return answer(await listing.list_activations(ports, request.request_object))


@router.post("/lookup", response_model=ObjectResponse[LookupActivationsResponse])
async def look_up(request: ObjectRequest[LookupActivationsRequest], ports: Running) -> JsonResponse:
    """Activations of several users."""
    return answer(await listing.look_up_activations(ports.database, request.request_object))


@router.post("/history", response_model=ObjectResponse[ActivationHistoryResponse])
async def get_history(request: ObjectRequest[ActivationHistoryRequest], ports: Running) -> JsonResponse:
    """What happened to an activation."""
    return answer(await listing.get_history(ports.database, request.request_object))


@router.post("/status/update", response_model=ObjectResponse[UpdateStatusResponse])
async def update_status(request: ObjectRequest[UpdateStatusRequest], ports: Running) -> JsonResponse:
    """Force a state on activations."""
    return answer(await administration.update_status(ports.database, ports.changes, request.request_object))


@router.post("/block", response_model=ObjectResponse[BlockActivationResponse])
async def block(request: ObjectRequest[BlockActivationRequest], ports: Running) -> JsonResponse:
    """Block an activation."""
    return answer(
        await administration.block_activation(ports.database, ports.changes, request.request_object)
    )


@router.post("/unblock", response_model=ObjectResponse[UnblockActivationResponse])
async def unblock(request: ObjectRequest[UnblockActivationRequest], ports: Running) -> JsonResponse:
    """Unblock an activation."""
    return answer(
        await administration.unblock_activation(ports.database, ports.changes, request.request_object)
    )


@router.post("/remove", response_model=ObjectResponse[RemoveActivationResponse])
async def remove(request: ObjectRequest[RemoveActivationRequest], ports: Running) -> JsonResponse:
    """Remove an activation."""
    return answer(
        await administration.remove_activation(ports.database, ports.changes, request.request_object)
    )


@router.post("/name/update", response_model=ObjectResponse[RenameActivationResponse])
async def rename(request: ObjectRequest[RenameActivationRequest], ports: Running) -> JsonResponse:
    """Rename an activation."""
    return answer(
        await administration.rename_activation(ports.database, ports.changes, request.request_object)
    )


@router.post("/flags/list", response_model=ObjectResponse[FlagsResponse])
async def list_flags(request: ObjectRequest[ListFlagsRequest], ports: Running) -> JsonResponse:
    """Flags of an activation."""
    return answer(await flags.list_flags(ports.database, request.request_object))


@router.post("/flags/create", response_model=ObjectResponse[FlagsResponse])
async def add_flags(request: ObjectRequest[ChangeFlagsRequest], ports: Running) -> JsonResponse:
    """Add flags to an activation."""
    return answer(await flags.add_flags(ports.database, ports.application_cache, request.request_object))


@router.post("/flags/update", response_model=ObjectResponse[FlagsResponse])
async def replace_flags(request: ObjectRequest[ChangeFlagsRequest], ports: Running) -> JsonResponse:
    """Replace the flags of an activation."""
    return answer(await flags.replace_flags(ports.database, ports.application_cache, request.request_object))


@router.post("/flags/remove", response_model=ObjectResponse[FlagsResponse])
async def remove_flags(request: ObjectRequest[ChangeFlagsRequest], ports: Running) -> JsonResponse:
    """Take flags from an activation."""
    return answer(await flags.remove_flags(ports.database, ports.application_cache, request.request_object))
