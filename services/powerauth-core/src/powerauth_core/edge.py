"""The calls that a phone's login, payment or token make: answered by the shortest way (design §8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from powerauth_contracts.calls import Call
from powerauth_contracts.dmz.table import BUNDLE
from powerauth_contracts.rest import operations as operation_calls
from powerauth_contracts.rest import tokens as token_calls
from powerauth_contracts.rest import verification as signature_calls
from powerauth_core.dmz.use_cases import USE_CASES, UseCase
from powerauth_core.kernel.call_routes import answer
from powerauth_core.kernel.error_family import CORE_FAMILY
from powerauth_core.operations.views import create_operation
from powerauth_core.tokens.views import validate_token
from powerauth_core.verification.views import verify_signature
from servicekit import units
from servicekit.edge.bundles import Bundles
from servicekit.edge.fast import Endpoints, ObjectCall


def _fast(calls: Mapping[Call[Any, Any], UseCase]) -> dict[str, ObjectCall]:
    return {
        call.path: ObjectCall(call.request, _performing(use_case))
        for call, use_case in calls.items()
        if call.fast
    }


def _performing(use_case: UseCase) -> Any:
    async def perform(app: Any, request: Any) -> Response:
        core = app.state.core
        return answer(await units.repeated(lambda: use_case(core, request)))

    return perform


_DOOR = _fast(USE_CASES)

_REST: Mapping[Call[Any, Any], UseCase] = {
    signature_calls.VERIFY: verify_signature,
    token_calls.VALIDATE: validate_token,
    operation_calls.CREATE: create_operation,
}
FAST_CALLS = _fast(_REST) | _DOOR
"""The hot calls of both doors, by path inside the service."""

BUNDLES = Bundles(_DOOR, CORE_FAMILY)

ENDPOINTS: Endpoints = {
    **{("POST", path): call.answer for path, call in FAST_CALLS.items()},
    ("POST", BUNDLE): BUNDLES.answer,
}
