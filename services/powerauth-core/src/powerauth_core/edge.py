"""The calls of a login, a payment, a token or an activation: answered by the shortest way (design §8)."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from powerauth_contracts.dmz.table import BUNDLE, DOOR_PATHS
from powerauth_core.kernel.call_routes import CallRouter, Handler, answer
from powerauth_core.kernel.error_family import CORE_FAMILY
from powerauth_core.routing import ROUTERS
from servicekit import units
from servicekit.edge.bundles import Bundles
from servicekit.edge.fast import Endpoints, ObjectCall


def _performing(handler: Handler[Any, Any]) -> Any:
    async def perform(app: Any, request: Any) -> Response:
        core = app.state.core
        return answer(await units.repeated(lambda: handler(core, request)))

    return perform


FAST_CALLS = {
    call.path: ObjectCall(call.request, _performing(handler))
    for router in ROUTERS
    if isinstance(router, CallRouter)
    for call, handler in router.handlers.items()
    if call.fast
}
"""The hot calls of both doors, by path inside the service."""

BUNDLES = Bundles({path: call for path, call in FAST_CALLS.items() if path in DOOR_PATHS}, CORE_FAMILY)

ENDPOINTS: Endpoints = {
    **{("POST", path): call.answer for path, call in FAST_CALLS.items()},
    ("POST", BUNDLE): BUNDLES.answer,
}
