"""Requests generated from an OpenAPI document, the same ones in every run.

Three sources: boundary values of every member, arbitrary valid requests, arbitrary invalid ones. Values that
exist in the running stack are put in by the member's name, so that a request gets behind the first look-up.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import requests
import schemathesis
from asgi_client import Request, header_list
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core import NOT_SET
from schemathesis.core.result import Ok
from schemathesis.generation.drivers import CoverageGenerator
from schemathesis.generation.feedback import NO_FEEDBACK
from schemathesis.generation.overrides import Override
from schemathesis.schemas import APIOperation

SCALE = max(1, int(os.environ.get("POWERAUTH_FUZZ_SCALE", "1")))
"""Multiplies the number of arbitrary requests."""

_ORIGIN = "http://localhost"
_KNOWN_SHARE = 0.6

Known = Mapping[str, Sequence[object]]
Operation = APIOperation[Any, Any, Any, Any]
"""Values that exist, by the names of members and parameters."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """How many requests an operation gets, at most."""

    boundary: int
    valid: int
    invalid: int


def operations_of(document: Mapping[str, Any]) -> list[Operation]:
    """The operations of a document in its order, the server's own health pages left out.

    Credentials are none of the generated members: a wrong password costs the server a slow hash.
    """
    return list(_operations_of(json.dumps(document)))


@cache
def _operations_of(document: str) -> Sequence[Operation]:
    """Read once: the parts of a service are tested one by one."""
    plain = json.loads(document)
    plain["components"].pop("securitySchemes", None)
    for item in plain["paths"].values():
        for operation in item.values():
            operation.pop("security", None)
    for schema in plain["components"]["schemas"].values():
        _without_costly_patterns(schema)
    found = []
    for result in schemathesis.openapi.from_dict(plain).get_all_operations():
        assert isinstance(result, Ok), result
        found.append(result.ok())
    return [operation for operation in found if not operation.path.startswith("/actuator/")]


def _without_costly_patterns(schema: Any) -> None:
    """Leave out "not blank", in place: long texts with it take the generator seconds."""
    if isinstance(schema, dict):
        if schema.get("pattern") == r"\S":
            del schema["pattern"]
        for member in schema.values():
            _without_costly_patterns(member)
    elif isinstance(schema, list):
        for member in schema:
            _without_costly_patterns(member)


def generated_requests(
    operation: Operation, amounts: Amounts, known: Known
) -> Iterator[tuple[Case[Any], Request]]:
    """The requests of one operation: boundary values, then valid and invalid ones."""
    random = Random(operation.label)
    boundary = _boundary_cases(operation)
    if len(boundary) > amounts.boundary * SCALE:
        boundary = random.sample(boundary, amounts.boundary * SCALE)
    cases = [
        *boundary,
        *_arbitrary_cases(operation, GenerationMode.POSITIVE, amounts.valid * SCALE),
        *_arbitrary_cases(operation, GenerationMode.NEGATIVE, amounts.invalid * SCALE),
    ]
    for case in cases:
        yield case, _request(case, random, known)


def _boundary_cases(operation: Operation) -> list[Case[Any]]:
    configuration = operation.schema.config.generation_for(operation=operation, phase="coverage")
    return list(
        CoverageGenerator(
            operation=operation,
            generation_modes=list(GenerationMode),
            generation_config=configuration,
            auth_storage=None,
            override=Override(),
            feedback=NO_FEEDBACK,
        )
    )


def _arbitrary_cases(operation: Operation, mode: GenerationMode, amount: int) -> list[Case[Any]]:
    """Distinct requests; none where nothing can be invalid, for which the generator would try hundreds."""
    cases: list[Case[Any]] = []
    if not amount or (mode is GenerationMode.NEGATIVE and _takes_any_text(operation)):
        return cases

    @settings(
        max_examples=amount,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def collect(case: Case[Any]) -> None:
        cases.append(case)

    try:
        collect()
    except Unsatisfiable:
        return []
    return cases


def _takes_any_text(operation: Operation) -> bool:
    """Whether a request is nothing but a path, whose segments are texts."""
    return not (operation.body or operation.query or operation.headers)


def _request(case: Case[Any], random: Random, known: Known) -> Request:
    """The case as it goes over the wire, with known values put in."""
    case.path_parameters = _with_known(case.path_parameters, random, known)
    case.query = _with_known(case.query, random, known)
    if case.body is not NOT_SET:
        case.body = _with_known(case.body, random, known)
    arguments = case.as_transport_kwargs(base_url=_ORIGIN)
    prepared = requests.Request(
        method=arguments["method"],
        url=arguments["url"],
        headers=arguments.get("headers"),
        params=arguments.get("params"),
        data=arguments.get("data"),
        json=arguments.get("json"),
        cookies=arguments.get("cookies"),
    ).prepare()
    body = prepared.body or b""
    sent = {
        name: value.decode("latin-1") if isinstance(value, bytes) else value
        for name, value in prepared.headers.items()
        if name.lower() not in ("content-length", "x-schemathesis-testcaseid", "user-agent")
    }
    return Request(
        str(prepared.method),
        prepared.path_url,
        header_list(sent),
        body if isinstance(body, bytes) else str(body).encode(),
    )


def _with_known(value: Any, random: Random, known: Known) -> Any:
    if isinstance(value, Mapping):
        return {name: _member(name, member, random, known) for name, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_with_known(item, random, known) for item in value]
    return value


def _member(name: str, value: Any, random: Random, known: Known) -> Any:
    fitting = [found for found in known.get(name, ()) if isinstance(value, type(found))]
    texts = [found for found in known.get(name, ()) if isinstance(found, str)]
    if random.random() < _KNOWN_SHARE:
        if fitting:
            return random.choice(fitting)
        if texts and isinstance(value, list):
            return [random.choice(texts)]
    return _with_known(value, random, known)
