"""The core serves what the contracts' tables name, each call by one route, and nothing else."""

from __future__ import annotations

from powerauth_contracts.dmz import table as dmz
from powerauth_contracts.rest import table as rest
from powerauth_core.routing import routers_of


def test_every_call_has_one_route() -> None:
    served = sorted(route.path for router in routers_of("test") for route in router.routes)  # type: ignore[attr-defined]
    calls = (*rest.CALLS, *dmz.CALLS, *dmz.EXAMPLES)
    assert served == sorted(["/", *(call.path for call in calls)])
