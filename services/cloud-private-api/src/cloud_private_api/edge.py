"""Hot calls in front of the framework, admitted as by their routes; what they cannot read, those refuse."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from types import NoneType
from typing import Any

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from cloud_private_api.access.rules import requirement_of
from cloud_private_api.errors import CloudError
from cloud_private_api.routing import CloudRequest, CloudRouter, admitted
from powerauth_contracts.calls import Endpoint
from powerauth_contracts.wire import JsonReader
from powerauth_protocol.common.json_text import read_first_json
from servicekit import units
from servicekit.edge.fast import Endpoints, LeftToRoute, again, is_json, whole_body
from servicekit.edge.middleware import PatientReceive


class FastCall:
    """A call without query, whose endpoint takes ports, caller and, by position, body or path's values."""

    def __init__(self, call: Endpoint[Any, Any], endpoint: Callable[..., Awaitable[Response]]) -> None:
        self._name = call.name
        self._requirement = requirement_of(call.path)
        self._endpoint = endpoint
        self._read = None if call.request is NoneType else JsonReader(call.request, read_first_json)

    async def answer(self, request: Request) -> Response:
        """The answer to a request.

        :raises LeftToRoute: the body is not such an object; the route says why
        """
        if self._read is not None and not is_json(request.scope):
            raise LeftToRoute(request.receive)
        receive = PatientReceive(request.receive)
        asked = CloudRequest(request.scope, receive)
        return await units.repeated(lambda: self._answer(asked, receive))

    async def _answer(self, request: CloudRequest, receive: PatientReceive) -> Response:
        caller = await admitted(request, receive, self._requirement, with_body=False)  # which is JSON
        if self._read is None:
            given = [*request.path_params.values()]
        else:
            body = await whole_body(receive)
            try:
                given = [self._read(body)]
            except ValidationError:
                raise LeftToRoute(again(body, receive)) from None
        try:
            return await self._endpoint(request.app.state.cloud, caller, *given)
        except CloudError as error:
            error.operation_id = self._name
            raise


def fast_endpoints(routers: Iterable[APIRouter]) -> Endpoints:
    """The endpoints of the hot calls."""
    return {
        (call.method, call.path): FastCall(call, endpoint).answer
        for router in routers
        if isinstance(router, CloudRouter)
        for call, endpoint in router.fast.items()
    }
