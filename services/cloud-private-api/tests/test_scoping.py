"""An id outside the caller's applications is unknown everywhere (spec/cloud-api.md §1.4, §19 item 14)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from cloud_client import Client, Service
from cloud_fake_core import GOOD_OFFLINE_CODE, b64
from fastapi import FastAPI

UNKNOWN = "00000000-0000-4000-8000-000000000000"
NONCE = "AAECAwQFBgcICQoLDA0ODw=="
REGISTRATION = "ERROR_REGISTRATION_NOT_FOUND"
OPERATION = "ERROR_OPERATION_NOT_FOUND"


@dataclass(frozen=True)
class Endpoint:
    """One call that carries an id: ``{id}`` in path, query or body."""

    method: str
    path: str
    code: str
    body: dict[str, Any] | None = None
    query: dict[str, Any] = field(default_factory=dict)

    def request(self, subject: str) -> tuple[str, str, Any, dict[str, Any]]:
        body = self.body and {name: _with(value, subject) for name, value in self.body.items()}
        query = {name: _with(value, subject) for name, value in self.query.items()}
        return self.method, _with(self.path, subject), body, query


def _with(value: Any, subject: str) -> Any:
    return value.replace("{id}", subject) if isinstance(value, str) else value


ONE, TASK = "/v2/registrations/{id}", "/v2/operations/{id}"
OF_REGISTRATION = [
    Endpoint("GET", ONE, REGISTRATION),
    Endpoint("POST", f"{ONE}/commit", REGISTRATION, {"otp": "1"}),
    Endpoint("PUT", ONE, REGISTRATION, {"change": "BLOCK"}),
    Endpoint("PUT", ONE, REGISTRATION, {"change": "UNBLOCK"}),
    Endpoint("DELETE", ONE, REGISTRATION),
    Endpoint("PUT", f"{ONE}/otp", REGISTRATION, {"otp": "1234"}),
    Endpoint("PUT", f"{ONE}/name", REGISTRATION, {"name": "x"}),
    Endpoint("GET", f"{ONE}/flags", REGISTRATION),
    Endpoint("POST", f"{ONE}/flags", REGISTRATION, {"flags": ["A"]}),
    Endpoint("PUT", f"{ONE}/flags", REGISTRATION, {"flags": ["A"]}),
    Endpoint("PUT", f"{ONE}/flags", REGISTRATION, {"flags": []}),
    Endpoint("DELETE", f"{ONE}/flags", REGISTRATION, query={"flags": "A"}),
    Endpoint("GET", f"{ONE}/history", REGISTRATION),
    Endpoint("DELETE", "/v2/passkeys/{id}", REGISTRATION),
    Endpoint("POST", "/v2/operations", REGISTRATION, {"template": "login", "registrationId": "{id}"}),
    Endpoint("GET", "/v2/operations", REGISTRATION, query={"userId": "user-1", "registrationId": "{id}"}),
    Endpoint("POST", "/v2/signature/offline/payload", REGISTRATION, {"registrationId": "{id}", "data": "x"}),
    Endpoint(
        "POST",
        "/v2/signature/offline/verify",
        REGISTRATION,
        {"registrationId": "{id}", "data": "x", "nonce": NONCE, "otp": "0" * 16},
    ),
    Endpoint(
        "POST",
        "/v2/signature/ecdsa/verify",
        REGISTRATION,
        {"registrationId": "{id}", "data": b64(b"x"), "signature": b64(b"good")},
    ),
]
OF_OPERATION = [
    Endpoint("GET", TASK, OPERATION),
    Endpoint("DELETE", TASK, OPERATION),
    Endpoint("POST", f"{TASK}/claim", OPERATION, {"userId": "user-1"}),
    Endpoint("POST", f"{TASK}/fail", OPERATION),
    Endpoint("POST", f"{TASK}/reject", OPERATION, {"userId": "user-1", "appId": "app-a"}),
    Endpoint("GET", f"{TASK}/offline/qr", OPERATION, query={"registrationId": "{own}"}),
    Endpoint(
        "POST",
        f"{TASK}/offline/otp",
        OPERATION,
        {"otp": GOOD_OFFLINE_CODE, "nonce": NONCE, "registrationId": "{own}"},
    ),
    Endpoint("GET", "/operations", OPERATION, query={"operationId": "{id}"}),
    Endpoint("DELETE", "/operations", OPERATION, query={"operationId": "{id}"}),
    Endpoint("GET", "/operations/offline/qr", OPERATION, query={"operationId": "{id}"}),
    Endpoint(
        "POST",
        "/operations/offline/otp",
        OPERATION,
        {"operationId": "{id}", "otp": GOOD_OFFLINE_CODE, "nonce": NONCE},
    ),
]


def _name(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path} {endpoint.body or ''}"


async def _answers_like_unknown(service: Service, caller: Client, endpoint: Endpoint, foreign: str) -> None:
    own = service.core.activation("app-a")
    answers = []
    for subject in (foreign, UNKNOWN, "no-such-id", "%00"):
        method, path, body, query = endpoint.request(subject)
        body = body and {name: own if value == "{own}" else value for name, value in body.items()}
        query = {name: own if value == "{own}" else value for name, value in query.items()}
        if subject == "%00" and "{id}" not in endpoint.path:
            continue
        with service.core.no_change():
            answers.append(await caller.refused(method, path, body, code=endpoint.code, **query))
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize("status", ["CREATED", "PENDING_COMMIT", "ACTIVE", "BLOCKED", "REMOVED"])
@pytest.mark.parametrize("endpoint", OF_REGISTRATION, ids=_name)
async def test_registration_of_others(
    service: Service, bank: Client, other_bank: Client, endpoint: Endpoint, status: str
) -> None:
    service.core.template("login")
    foreign = service.core.activation("app-b", status=status, otp="1234", activationFlags=["A"])
    await _answers_like_unknown(service, bank, endpoint, foreign)


@pytest.mark.usefixtures("other_bank")
@pytest.mark.parametrize("status", ["PENDING", "APPROVED", "REJECTED", "FAILED", "CANCELED", "EXPIRED"])
@pytest.mark.parametrize("endpoint", OF_OPERATION, ids=_name)
async def test_operation_of_others(service: Service, bank: Client, endpoint: Endpoint, status: str) -> None:
    foreign = service.core.operation("app-b", status=status)
    await _answers_like_unknown(service, bank, endpoint, foreign)


OF_ANOTHER_USER = [
    Endpoint("POST", f"{TASK}/claim", OPERATION, {"userId": "stranger"}),
    Endpoint("POST", f"{TASK}/reject", OPERATION, {"userId": "stranger", "appId": "app-a"}),
    Endpoint("GET", f"{TASK}/offline/qr", OPERATION, query={"registrationId": "{own}"}),
    Endpoint(
        "POST",
        f"{TASK}/offline/otp",
        OPERATION,
        {"otp": GOOD_OFFLINE_CODE, "nonce": NONCE, "registrationId": "{own}"},
    ),
]


@pytest.mark.parametrize("status", ["PENDING", "APPROVED", "REJECTED", "FAILED", "CANCELED", "EXPIRED"])
@pytest.mark.parametrize("endpoint", OF_ANOTHER_USER, ids=_name)
async def test_operation_of_another_user(
    service: Service, bank: Client, endpoint: Endpoint, status: str
) -> None:
    foreign = service.core.operation("app-a", user_id="somebody else", status=status)
    await _answers_like_unknown(service, bank, endpoint, foreign)


@pytest.mark.parametrize("status", ["CREATED", "PENDING_COMMIT", "ACTIVE", "BLOCKED", "REMOVED"])
async def test_registration_of_another_user(service: Service, bank: Client, status: str) -> None:
    service.core.template("login")
    foreign = service.core.activation("app-a", user_id="somebody else", status=status)
    body = {"template": "login", "userId": "user-1", "registrationId": foreign}
    await bank.refused("POST", "/v2/operations", body, code=REGISTRATION)
    await bank.refused("GET", "/v2/operations", code=REGISTRATION, userId="user-1", registrationId=foreign)


@pytest.mark.parametrize("endpoint", [*OF_REGISTRATION, *OF_OPERATION], ids=_name)
async def test_caller_without_applications_finds_nothing(service: Service, endpoint: Endpoint) -> None:
    core = service.core
    core.template("login")
    nobody = await service.user("nobody")
    subject = core.operation("app-a") if endpoint in OF_OPERATION else core.activation("app-a")
    method, path, body, query = endpoint.request(subject)
    response = await nobody.send(method, path, body, **query)
    if endpoint.path == "/v2/operations" and endpoint.method == "GET":
        assert response.json() == {"operations": []}
    elif endpoint.path == "/v2/operations":
        assert response.json()["responseObject"]["code"] == "ERROR_REQUEST"
    elif (
        endpoint.query.get("registrationId") == "{own}"
        or (endpoint.body or {}).get("registrationId") == "{own}"
    ):
        assert response.status_code == 400
    else:
        assert response.json()["responseObject"]["code"] == endpoint.code
    assert core.paths() == []


@pytest.mark.parametrize("endpoint", [*OF_REGISTRATION, *OF_OPERATION], ids=_name)
async def test_every_call_carries_the_callers_applications(service: Service, endpoint: Endpoint) -> None:
    core = service.core
    caller = await service.user("two", ["app-a", "app-b"])
    core.template("login")
    own = core.activation("app-a")
    subject = core.operation("app-a") if endpoint in OF_OPERATION else own
    method, path, body, query = endpoint.request(subject)
    body = body and {name: own if value == "{own}" else value for name, value in body.items()}
    query = {name: own if value == "{own}" else value for name, value in query.items()}
    if endpoint.path.startswith("/operations/offline"):
        query["appId"] = "app-a"
    await caller.send(method, path, body, **query)
    assert core.calls
    for call in core.calls:
        if call.path != "operation/text/list":
            assert call.request["applicationIds"] in (["app-a", "app-b"], ["app-a"]), call.path


def test_every_endpoint_with_an_id_in_its_path_is_covered(shared_app: FastAPI) -> None:
    covered = {(item.method, item.path) for item in [*OF_REGISTRATION, *OF_OPERATION]}
    for path, operations in shared_app.openapi()["paths"].items():
        if "{registrationId}" in path or "{operationId}" in path:
            template = path.replace("{registrationId}", "{id}").replace("{operationId}", "{id}")
            for method in operations:
                assert (method.upper(), template) in covered
