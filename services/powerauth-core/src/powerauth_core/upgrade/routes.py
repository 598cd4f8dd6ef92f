"""HTTP side of the upgrade calls (spec/core-api.md §14)."""

from fastapi import APIRouter

from powerauth_contracts.rest.upgrade import (
    CommitUpgradeRequest,
    CommitUpgradeResponse,
    StartUpgradeRequest,
    StartUpgradeResponse,
)
from powerauth_contracts.wire import ObjectRequest, ObjectResponse
from powerauth_core.kernel.answers import answer
from powerauth_core.upgrade import service
from powerauth_core.upgrade.ports import Running
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3/upgrade", tags=["Upgrade"], route_class=JsonRoute)


@router.post("/start", response_model=ObjectResponse[StartUpgradeResponse])
async def start_upgrade(request: ObjectRequest[StartUpgradeRequest], ports: Running) -> JsonResponse:
    """Begin the upgrade of an activation; none qualifies."""
    return answer(
        await service.start_upgrade(ports.database, ports.application_cache, request.request_object)
    )


@router.post("/commit", response_model=ObjectResponse[CommitUpgradeResponse])
async def commit_upgrade(request: ObjectRequest[CommitUpgradeRequest], ports: Running) -> JsonResponse:
    """End the upgrade of an activation; none qualifies."""
    return answer(await service.commit_upgrade(ports.database, request.request_object))
