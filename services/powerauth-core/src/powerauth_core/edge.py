"""The calls of a login, a payment, a token or an activation: answered by the shortest way (design §8)."""

from __future__ import annotations

from powerauth_contracts.dmz import table as dmz
from powerauth_contracts.rest import table as rest
from powerauth_core.kernel.call_routes import CallRouter, performing
from powerauth_core.kernel.error_family import CORE_FAMILY
from powerauth_core.routing import ROUTERS
from servicekit.edge.bundles import Bundles
from servicekit.edge.fast import Endpoints, ObjectCall

FAST_CALLS = {
    call.path: ObjectCall(call.request, performing(handler))
    for router in ROUTERS
    if isinstance(router, CallRouter)
    for call, handler in router.handlers.items()
    if call.fast
}
"""The hot calls of both doors, by path inside the service."""


def _bundles(door: str) -> Bundles:
    """The hot calls of one door, whose credentials a bundle brings along."""
    of_door = {path: call for path, call in FAST_CALLS.items() if path.startswith(f"{door}/")}
    return Bundles(of_door, CORE_FAMILY)


BUNDLES = {dmz.BUNDLE: _bundles(dmz.DOOR), rest.BUNDLE: _bundles(rest.DOOR)}
"""What takes bundles of calls, by path inside the service."""

ENDPOINTS: Endpoints = {
    **{("POST", path): call.answer for path, call in FAST_CALLS.items()},
    **{("POST", path): bundles.answer for path, bundles in BUNDLES.items()},
}
