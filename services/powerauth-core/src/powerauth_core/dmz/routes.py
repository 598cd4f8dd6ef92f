"""HTTP of the core's second door, for the enrollment service alone (D1): a route for each call."""

from collections.abc import Iterable
from typing import Any

from powerauth_contracts.calls import Call
from powerauth_contracts.dmz.table import CALLS, EXAMPLES
from powerauth_core.dmz.use_cases import USE_CASES
from powerauth_core.kernel.call_routes import CallRouter


def _router(calls: Iterable[Call[Any, Any]]) -> CallRouter:
    router = CallRouter("Door of the enrollment service")
    for call in calls:
        router.answers(call)(USE_CASES[call])
    return router


door = _router(CALLS)
examples = _router(EXAMPLES)
"""Not in production (D1 rule 4)."""
