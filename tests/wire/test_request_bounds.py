"""Whatever a caller can put into a request has a bound before anything is done with it (D26, D28)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from fastapi.routing import APIRoute, APIRouter
from pydantic import BaseModel

from cloud_private_api.app import ROUTERS as CLOUD_ROUTERS
from enrollment.exchange.routes import router as exchange
from enrollment.inbox.routes import router as inbox
from enrollment.mobile_token.routes import router as mobile_token
from enrollment.oidc.routes import router as oidc
from enrollment.passkeys.routes import router as passkeys
from enrollment.push.routes import router as push
from enrollment.spawn.routes import router as spawn
from enrollment.standard.routes import standard_router
from powerauth_contracts.wire import RequestModel, checked_json
from powerauth_core.routing import ROUTERS as CORE_ROUTERS
from powerauth_push.app import ROUTERS as PUSH_ROUTERS
from servicekit.edge.fast import endpoints_of

ENROLLMENT_ROUTERS = (exchange, inbox, mobile_token, oidc, passkeys, push, spawn, standard_router("/pa/v3"))
ROUTERS = (*CORE_ROUTERS, *CLOUD_ROUTERS, *PUSH_ROUTERS, *ENROLLMENT_ROUTERS)
_SKIPPED = frozenset({"serialization", "metadata", "json_schema_input_schema", "cls", "config"})
_SIZED = frozenset({"list", "tuple", "set", "frozenset", "dict", "generator", "str", "bytes"})
_NUMBERS_WITHOUT_BOUND = frozenset({"float", "decimal", "complex"})


def routes(routers: Iterable[APIRouter] = ROUTERS) -> Iterator[APIRoute]:
    for router in routers:
        yield from (route for route in router.routes if isinstance(route, APIRoute))


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, list):
        for argument in get_args(annotation):
            yield from models_in(argument)


def body_models(routers: Iterable[APIRouter] = ROUTERS) -> set[type[BaseModel]]:
    found: set[type[BaseModel]] = set()
    for route in routes(routers):
        for parameter in route.dependant.body_params:
            found.update(models_in(parameter.field_info.annotation))
    return found


def subclasses(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for child in model.__subclasses__():
        yield child
        yield from subclasses(child)


REQUESTS = sorted(body_models() | set(subclasses(RequestModel)), key=lambda model: model.__qualname__)


def unbounded(schema: Any, path: str, checked: bool = False) -> Iterator[str]:
    """Where a model's core schema takes something of any size, or what is no request's part."""
    if isinstance(schema, list | tuple):
        for part in schema:
            yield from unbounded(part, path)
        return
    if not isinstance(schema, dict):
        return
    kind = schema.get("type")
    if isinstance(kind, str):
        if kind == "model" and not issubclass(schema["cls"], RequestModel):
            yield f"{path}: {schema['cls'].__name__} is no RequestModel"
        if kind in _SIZED and schema.get("max_length") is None:
            yield f"{path}: {kind} without a maximum"
        if kind == "int" and not ({"le", "lt"} & schema.keys() and {"ge", "gt"} & schema.keys()):
            yield f"{path}: int without bounds"
        if kind in _NUMBERS_WITHOUT_BOUND:
            yield f"{path}: {kind}"
        if kind == "any" and not checked:
            yield f"{path}: anything, of any depth"
        if kind.startswith("function-") and schema["function"]["function"] is checked_json:
            checked = True
    for key, part in schema.items():
        if key == "fields" and isinstance(part, dict):
            for name, member in part.items():
                yield from unbounded(member, f"{path}.{name}")
        elif key not in _SKIPPED:
            yield from unbounded(part, path, checked)


@pytest.mark.parametrize("model", REQUESTS, ids=lambda model: model.__qualname__)
def test_every_member_of_a_request_is_bounded(model: type[BaseModel]) -> None:
    assert list(unbounded(model.__pydantic_core_schema__, model.__name__)) == []


def test_the_requests_of_all_services_are_looked_at() -> None:
    assert body_models(CORE_ROUTERS)
    assert body_models(CLOUD_ROUTERS)
    assert all(issubclass(model, RequestModel) for model in body_models())
    # Enrollment declares no models: its routes read what they need of a body that passes through.
    assert endpoints_of(ENROLLMENT_ROUTERS)


def test_a_member_without_bound_is_noticed() -> None:
    class Loose(BaseModel):
        texts: list[str]
        anything: Any
        number: int

    assert len(list(unbounded(Loose.__pydantic_core_schema__, "Loose"))) == 5


def test_every_body_is_read_by_our_reading_of_json() -> None:
    for route in routes():
        if route.body_field is not None:
            assert type(route).get_route_handler is not APIRoute.get_route_handler, route.path
