"""The HTTP application: every call of the catalogue, one door each (spec/core-api.md §3)."""

from __future__ import annotations

from typing import Any

CATALOGUE = [
    "status",
    "error/list",
    "application/list",
    "application/detail",
    "application/detail/version",
    "application/create",
    "application/version/create",
    "application/version/support",
    "application/version/unsupport",
    "application/roles/list",
    "application/roles/create",
    "application/roles/update",
    "application/roles/remove",
    "application/config/detail",
    "application/config/create",
    "application/config/remove",
    "application/callback/create",
    "application/callback/update",
    "application/callback/list",
    "application/callback/remove",
    "activation/init",
    "activation/prepare",
    "activation/create",
    "activation/recovery/create",
    "activation/otp/update",
    "activation/commit",
    "activation/status",
    "activation/list",
    "activation/lookup",
    "activation/status/update",
    "activation/block",
    "activation/unblock",
    "activation/remove",
    "activation/name/update",
    "activation/history",
    "activation/flags/list",
    "activation/flags/create",
    "activation/flags/update",
    "activation/flags/remove",
    "signature/verify",
    "signature/offline/personalized/create",
    "signature/offline/non-personalized/create",
    "signature/offline/verify",
    "signature/ecdsa/sign",
    "signature/ecdsa/verify",
    "signature/list",
    "vault/unlock",
    "token/create",
    "token/validate",
    "token/remove",
    "ecies/decryptor",
    "keystore/create",
    "keystore/remove",
    "upgrade/start",
    "upgrade/commit",
    "integration/create",
    "integration/list",
    "integration/remove",
    "telemetry/report",
    "operation/create",
    "operation/detail",
    "operation/list",
    "operation/list/pending",
    "operation/list/external",
    "operation/cancel",
    "operation/approve",
    "operation/approve/fail",
    "operation/reject",
    "operation/claim",
    "operation/template/create",
    "operation/template/update",
    "operation/template/list",
    "operation/template/detail",
    "operation/template/remove",
    "recovery/create",
    "recovery/confirm",
    "recovery/lookup",
    "recovery/revoke",
    "recovery/config/detail",
    "recovery/config/update",
    "audit/log/list",
    "operation/text/list",
    "operation/text/update",
    "operation/text/remove",
]


def test_every_call_of_the_catalogue_is_a_post(shared_app: Any) -> None:
    paths = shared_app.openapi()["paths"]
    assert {path: list(paths.get(f"/rest/v3/{path}", ())) for path in CATALOGUE} == {
        path: ["post"] for path in CATALOGUE
    }


def test_nothing_is_outside_the_doors_but_health_and_documentation(shared_app: Any) -> None:
    prefixes = ("/rest/v3/", "/dmz/v1/", "/actuator/")
    assert [path for path in shared_app.openapi()["paths"] if not path.startswith(prefixes)] == []


async def test_an_empty_request_object_is_never_a_server_error(api: Any, dmz: Any, shared_app: Any) -> None:
    answers = {}
    for path in shared_app.openapi()["paths"]:
        if not path.startswith("/actuator/"):
            client = dmz if path.startswith("/dmz/") else api
            answers[path] = (await client.post(path))[0]
    assert {path: status for path, status in answers.items() if status not in (200, 400)} == {}


async def test_every_path_of_both_doors_knows_its_methods(api: Any, dmz: Any, shared_app: Any) -> None:
    for path, own in shared_app.openapi()["paths"].items():
        client = dmz if path.startswith("/dmz/") else api
        allowed = {"OPTIONS", *(method.upper() for method in own)} | ({"HEAD"} if "get" in own else set())
        for method, status in (("OPTIONS", 200), ("PATCH", 405)):
            answer = await client.send(path, b"", method=method)
            assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (status, allowed), path


def test_no_path_and_no_query_carries_parameters(shared_app: Any) -> None:
    """All that a call is about stands in its body."""
    for path, operations in shared_app.openapi()["paths"].items():
        assert "{" not in path
        assert [operation.get("parameters") for operation in operations.values()] == [None] * len(operations)
