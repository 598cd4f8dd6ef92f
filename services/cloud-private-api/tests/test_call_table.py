"""The API is what the contract's table names, with its bodies, and nothing else."""

from __future__ import annotations

from types import NoneType
from typing import Any

from cloud_private_api.app import ROUTERS
from powerauth_contracts.cloud.table import CALLS


def _body(route: Any) -> Any:
    """The model of the body; it may be optional."""
    if route.body_field is None:
        return NoneType
    annotation = route.body_field.field_info.annotation
    return getattr(annotation, "__args__", (annotation,))[0]


def test_every_call_has_one_route_that_reads_its_request() -> None:
    routes: list[Any] = [route for router in ROUTERS for route in router.routes]
    served = sorted(
        (route.operation_id, *route.methods, route.path, _body(route).__name__) for route in routes
    )
    assert served == sorted((call.name, call.method, call.path, call.request.__name__) for call in CALLS)
