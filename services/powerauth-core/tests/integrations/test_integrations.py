"""Integrations and the two doors (spec/core-api.md §1.1, §16; D1 rule 7, D3)."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from uuid import UUID

import httpx2
import pytest
from core_test_api import Api, MakeSettings, StartCore
from core_test_rows import execute, found
from fastapi import FastAPI
from sqlalchemy import select, text

from powerauth_contracts.enums import IntegrationKind
from powerauth_core.app import create_app
from powerauth_core.container import Core
from powerauth_core.integrations.models import Integration
from powerauth_core.integrations.service import ensure_integration

ROOT = "/powerauth-java-server"
UNAUTHORIZED = {
    "status": "ERROR",
    "responseObject": {"code": "ERR_AUTHENTICATION", "message": "Authentication failed"},
}


async def call(app: FastAPI, path: str, authorization: str | None = None, method: str = "POST") -> Any:
    headers = {"Content-Type": "application/json"}
    if authorization is not None:
        headers["Authorization"] = authorization
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://core") as http:
        return await http.request(method, ROOT + path, content=b"{}", headers=headers)


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


async def test_list_shows_rest_integrations_with_secrets_and_no_dmz_ones(api: Api) -> None:
    rest = await api.ok("integration/create", name="bank")
    await api.ok("integration/create", name="edge", kind="dmz")
    listed = await api.ok("integration/list")
    assert listed["restrictedAccess"] is True
    assert rest in listed["items"]
    assert {item["name"] for item in listed["items"]} == {"bank", "tests-rest"}


async def test_created_credentials_open_the_rest_door_until_they_are_removed(api: Api, app: FastAPI) -> None:
    created = await api.ok("integration/create", name="bank")
    for name in ("id", "clientToken", "clientSecret"):
        assert UUID(created[name]).version == 4
    authorization = basic(created["clientToken"], created["clientSecret"])
    assert (await call(app, "/rest/v3/status", authorization)).status_code == 200
    assert await api.ok("integration/remove", id=created["id"]) == {"id": created["id"], "removed": True}
    assert (await call(app, "/rest/v3/status", authorization)).status_code == 401
    assert await api.ok("integration/remove", id=created["id"]) == {"id": created["id"], "removed": False}


@pytest.mark.parametrize(
    ("door", "kind"),
    [("/rest/v3/status", "dmz"), ("/dmz/v1/activation/status", "rest"), ("/fido2/assertions", "dmz")],
)
async def test_credentials_of_one_door_do_not_open_the_other(
    api: Api, app: FastAPI, door: str, kind: str
) -> None:
    created = await api.ok("integration/create", name="x", kind=kind)
    answer = await call(app, door, basic(created["clientToken"], created["clientSecret"]))
    assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED)


async def test_missing_and_malformed_credentials_are_refused_alike(app: FastAPI) -> None:
    unknown = [basic(user, "secret") for user in ("unknown", "x" * 5000, "nul\x00")]
    for authorization in (None, "", "Basic", "Basic !!!", "Bearer token", basic("", ""), *unknown):
        answer = await call(app, "/rest/v3/status", authorization)
        assert (answer.status_code, answer.json()) == (401, UNAUTHORIZED), authorization
        assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_a_wrong_secret_is_refused_also_when_the_caller_is_known(api: Api, app: FastAPI) -> None:
    created = await api.ok("integration/create", name="bank")
    token, secret = created["clientToken"], created["clientSecret"]
    for password, status in ((secret, 200), (secret[:-1], 401), ("", 401), (secret, 200)):
        assert (await call(app, "/rest/v3/status", basic(token, password))).status_code == status


async def test_unknown_paths_and_bodies_are_not_looked_at_before_authentication(app: FastAPI) -> None:
    assert (await call(app, "/rest/v3/unknown")).status_code == 401
    assert (await call(app, "/rest/v3/status", method="GET")).status_code == 401
    assert (await call(app, "//rest/v3/status")).status_code in (401, 404)


async def test_every_call_of_a_door_needs_its_credentials(app: FastAPI) -> None:
    """Also those that are answered before routing."""
    paths = [path for path in app.openapi()["paths"] if path.startswith(("/rest/", "/dmz/"))]
    answers = {path: (await call(app, path)).status_code for path in paths}
    assert {path: status for path, status in answers.items() if status != 401} == {}


async def test_authenticated_unknown_path_and_method(api: Api) -> None:
    answer = await api.send("unknown", b"{}")
    assert answer.status_code == 404
    assert answer.json()["responseObject"] == {
        "code": "ERROR_NOT_FOUND",
        "message": "Resource not found.",
        "localizedMessage": None,
    }
    answer = await api.send("status", b"", method="GET")
    assert (answer.status_code, answer.headers["allow"]) == (405, "OPTIONS, POST")


async def test_health_and_documentation_are_open(app: FastAPI) -> None:
    for path in ("/actuator/health", "/actuator/health/readiness", "/v3/api-docs", "/"):
        assert (await call(app, path, method="GET")).status_code == 200


async def test_open_access_opens_the_rest_door_but_never_the_dmz_door(
    make_settings: MakeSettings, core: Core
) -> None:
    app = create_app(make_settings(restrict_access=False))
    app.state.core = core
    assert (await call(app, "/rest/v3/status")).status_code == 200
    assert (await call(app, "/dmz/v1/activation/status")).status_code == 401


@pytest.mark.parametrize(
    ("kind", "encryption", "start"), [(IntegrationKind.DMZ, 0, "sha256:"), (IntegrationKind.REST, 1, "")]
)
async def test_a_dmz_secret_is_stored_as_a_hash_only_and_another_encrypted(
    core: Core, kind: IntegrationKind, encryption: int, start: str
) -> None:
    credentials = await ensure_integration(core, "edge", kind)
    [row] = await found(core, select(Integration))
    assert row.client_secret.startswith(start)
    assert credentials.client_secret not in row.client_secret
    assert row.client_secret_encryption == encryption


@pytest.mark.parametrize(("required", "status"), [(False, 200), (None, 401)])
async def test_an_adopted_integration_with_a_clear_secret_is_accepted_until_rows_are_bound(
    start_core: StartCore, app: FastAPI, required: bool | None, status: int
) -> None:
    core = app.state.core = await start_core(require_bound_rows=required)
    await execute(
        core,
        text(
            "INSERT INTO pa_integration (id, name, client_token, client_secret)"
            " VALUES ('i', 'old', 'token', 'clear')"
        ),
    )
    assert (await call(app, "/rest/v3/status", basic("token", "clear"))).status_code == status


async def test_a_hash_is_no_password(core: Core, app: FastAPI) -> None:
    """Whoever reads the table of the dmz integrations cannot call with what stands there."""
    credentials = await ensure_integration(core, "edge", IntegrationKind.DMZ)
    [row] = await found(core, select(Integration))
    path = "/dmz/v1/unknown"
    assert (await call(app, path, basic(row.client_token, row.client_secret))).status_code == 401
    assert (await call(app, path, basic(row.client_token, credentials.client_secret))).status_code == 404


async def test_ensure_keeps_rest_credentials_and_renews_dmz_secrets(core: Core) -> None:
    rest = [await ensure_integration(core, "cloud", IntegrationKind.REST) for _ in range(2)]
    dmz = [await ensure_integration(core, "cloud", IntegrationKind.DMZ) for _ in range(2)]
    assert rest[0] == rest[1]
    assert dmz[0].client_token == dmz[1].client_token
    assert dmz[0].client_secret != dmz[1].client_secret


async def test_an_unreachable_database_is_not_a_refusal(
    app: FastAPI, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    from servicekit.database import DatabaseUnavailable

    def unavailable() -> Any:
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr(core.database, "read", unavailable)
    answer = await call(app, "/rest/v3/status", basic("token", "secret"))
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"


async def test_secrets_stay_out_of_the_audit(api: Api, core: Core) -> None:
    created = await api.ok("integration/create", name="bank")
    params = await found(core, text("SELECT param FROM audit_log"))
    assert any(json.loads(param)["integrationId"] == created["id"] for param in params)
    assert not any(created["clientSecret"] in param or created["clientToken"] in param for param in params)
