"""HTTP of the core's second door, for the enrollment service alone (D1): a route for each call."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastapi import APIRouter

from powerauth_contracts.calls import Call
from powerauth_contracts.dmz.table import CALLS, EXAMPLES
from powerauth_contracts.wire import ObjectRequest, ObjectResponse
from powerauth_core.dmz.ports import Running
from powerauth_core.dmz.use_cases import USE_CASES, UseCase
from powerauth_core.kernel.answers import answer
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute


def _router(calls: Iterable[Call[Any, Any]]) -> APIRouter:
    router = APIRouter(tags=["Door of the enrollment service"], route_class=JsonRoute)
    for call in calls:
        router.add_api_route(
            call.path,
            _endpoint(call, USE_CASES[call]),
            methods=["POST"],
            response_model=ObjectResponse[call.answer],  # type: ignore[name-defined]
            description=call.meaning,
            name=call.path,
        )
    return router


def _endpoint(call: Call[Any, Any], perform: UseCase) -> Callable[..., Awaitable[JsonResponse]]:
    async def answered(
        ports: Running,
        body: ObjectRequest[call.request],  # type: ignore[name-defined]
    ) -> JsonResponse:
        return answer(await perform(ports, body.request_object))

    return answered


door = _router(CALLS)
examples = _router(EXAMPLES)
"""Not in production (D1 rule 4)."""
