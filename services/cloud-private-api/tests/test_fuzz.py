"""Whatever is sent, the answer is never a 500 (D6)."""

from __future__ import annotations

import json
import string
from typing import Any
from urllib.parse import quote

import pytest
from cloud_client import Client, Service
from cloud_fake_core import GOOD_CODE, FakeCore
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.fuzz

NAMES = [
    "userId",
    "appId",
    "otp",
    "commitPhase",
    "otpValidation",
    "flags",
    "change",
    "reason",
    "name",
    "template",
    "language",
    "externalId",
    "parameters",
    "timestampExpires",
    "registrationId",
    "applications",
    "nonce",
    "method",
    "uriId",
    "authHeader",
    "requestBody",
    "queryParams",
    "data",
    "signature",
    "signatureFormat",
    "username",
    "role",
    "enabled",
    "id",
    "roles",
    "supported",
    "values",
    "providerId",
    "clientSecret",
    "title",
    "summary",
    "message",
    "attributes",
    "ui",
    "resultTexts",
    "type",
    "callbackUrl",
    "authentication",
    "value",
    "templateName",
    "operationType",
    "dataTemplate",
    "signatureType",
    "maxFailureCount",
    "expiration",
    "userIds",
    "additionalData",
    "operationId",
    "initialBackoff",
    "maxAttempts",
]

TEXTS = st.one_of(
    st.text(max_size=40),
    st.text(alphabet=string.ascii_letters + string.digits + "-_./%&= \x00\r\n${}*\\\"'", max_size=40),
    st.sampled_from(
        [
            "app-a",
            "user-1",
            "BLOCK",
            "POST",
            "GET",
            "ROLE_ADMIN",
            "login",
            "PT1S",
            "P1D",
            "https://x.y/z",
            "OPERATION_STATUS_CHANGE",
            "AAECAwQFBgcICQoLDA0ODw==",
            "12345678-90123456",
            "2024-01-01T00:00:00Z",
            "9999-12-31T23:59:59-23:59",
            "0001-01-01T00:00:00+23:59",
            "POSSESSION_KNOWLEDGE",
            "\u0661" * 16,
            "x" * 300,
        ]
    ),
)
VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([2**63, -(2**63) - 1, 10**30, 4_102_444_800_000, 253_402_300_800_000]),
        st.floats(allow_nan=False, allow_infinity=False),
        TEXTS,
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
BODIES = st.one_of(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=12), VALUES, st.none())


def _endpoints(app: FastAPI) -> list[tuple[str, str, list[str]]]:
    return [
        (
            method.upper(),
            path,
            [item["name"] for item in operation.get("parameters", ()) if item["in"] == "query"],
        )
        for path, operations in app.openapi()["paths"].items()
        for method, operation in operations.items()
        if not path.startswith("/actuator/")
    ]


@st.composite
def _calls(
    draw: st.DrawFn, endpoints: list[tuple[str, str, list[str]]]
) -> tuple[str, str, dict[str, str], Any]:
    method, path, parameters = draw(st.sampled_from(endpoints))
    while "{" in path:
        start, end = path.index("{"), path.index("}")
        value = draw(st.one_of(TEXTS, st.sampled_from(["{registration}", "{operation}"])))
        text = value if value.startswith("{") else quote(value, safe="", errors="replace")
        path = path[:start] + text.replace("{", "<").replace("}", ">") + path[end + 1 :]
    query = draw(st.dictionaries(st.sampled_from(parameters), TEXTS, max_size=4)) if parameters else {}
    return method, path, query, draw(BODIES)


def _writable(query: dict[str, str]) -> dict[str, str]:
    return {name: value.encode("utf-8", "replace").decode() for name, value in query.items()}


async def test_generated_requests_never_fail_unexpectedly(
    service: Service, core: FakeCore, shared_app: FastAPI
) -> None:
    caller = await service.user("fuzz", ["app-a"], ["ROLE_USER", "ROLE_ADMIN"])
    core.template("login")
    registration, operation = core.activation("app-a"), core.operation("app-a")

    @settings(
        max_examples=600,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(call=_calls(_endpoints(shared_app)))
    def collect(call: tuple[str, str, dict[str, str], Any]) -> None:
        calls.append(call)

    calls: list[tuple[str, str, dict[str, str], Any]] = []
    collect()
    for method, path, query, body in calls:
        if method == "DELETE" and path.startswith("/admin/users/fuzz"):
            continue
        address = path.replace("<registration>", registration).replace("<operation>", operation)
        content = json.dumps(body).encode() if body is not None else b""
        response = await caller.http.request(
            method,
            address,
            content=content,
            params=_writable(query) or None,
            headers={"Content-Type": "application/json"},
        )
        assert response.status_code < 500, (method, path, query, body, response.text)
        assert response.headers["content-type"] == "application/json"
        if response.status_code != 200:
            assert response.json()["status"] == "ERROR"


async def test_generated_bytes_as_body(bank: Client) -> None:
    bodies: list[bytes] = []

    @given(st.one_of(st.binary(max_size=60), st.text(alphabet='{}[]":,0eE.-+nultrfas \\u\n', max_size=60)))
    @settings(max_examples=300, deadline=None)
    def collect(body: bytes | str) -> None:
        bodies.append(body if isinstance(body, bytes) else body.encode())

    collect()
    for body in bodies:
        response = await bank.http.post(
            "/v2/registrations/lookup", content=body, headers={"Content-Type": "application/json"}
        )
        assert response.status_code in (200, 400), (body, response.text)


async def test_code_fields_survive_any_text(bank: Client, core: FakeCore) -> None:
    core.application("app-a")
    activation_id = core.activation("app-a")
    header = (
        f'PowerAuth pa_activation_id="{activation_id}", pa_application_key="{core.key_of("app-a")}", '
        f'pa_nonce="AAECAwQFBgcICQoLDA0ODw==", pa_signature_type="possession", '
        f'pa_signature="{GOOD_CODE}", pa_version="3.3"'
    )
    requests: list[dict[str, Any]] = []

    @given(
        st.fixed_dictionaries(
            {"method": st.sampled_from(["GET", "POST"]), "uriId": TEXTS, "authHeader": st.just(header)},
            optional={
                "requestBody": TEXTS,
                "queryParams": st.dictionaries(TEXTS, TEXTS | st.lists(TEXTS, max_size=3), max_size=3),
            },
        )
    )
    @settings(max_examples=200, deadline=None)
    def collect(request: dict[str, Any]) -> None:
        requests.append(request)

    collect()
    for request in requests:
        response = await bank.send("POST", "/v2/signature/verify", request)
        assert response.status_code in (200, 400), (request, response.text)
