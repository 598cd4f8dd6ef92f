"""The HTTP application: every call of the catalogue, one door each (spec/core-api.md §3)."""

from __future__ import annotations

from core_test_api import Api
from fastapi import FastAPI


def test_nothing_is_outside_the_doors_but_health_and_documentation(shared_app: FastAPI) -> None:
    prefixes = ("/rest/v3/", "/fido2/", "/dmz/v1/", "/actuator/")
    assert [path for path in shared_app.openapi()["paths"] if not path.startswith(prefixes)] == []


async def test_every_path_of_both_doors_knows_its_methods(api: Api, dmz: Api, shared_app: FastAPI) -> None:
    for path, own in shared_app.openapi()["paths"].items():
        client = dmz if path.startswith("/dmz/") else api
        allowed = {"OPTIONS", *(method.upper() for method in own)} | ({"HEAD"} if "get" in own else set())
        for method, status in (("OPTIONS", 200), ("PATCH", 405)):
            answer = await client.send(path, b"", method=method)
            assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (status, allowed), path


def test_no_path_and_no_query_carries_parameters(shared_app: FastAPI) -> None:
    """All that a call is about stands in its body."""
    for path, operations in shared_app.openapi()["paths"].items():
        assert "{" not in path
        assert [operation.get("parameters") for operation in operations.values()] == [None] * len(operations)
