"""The application as a whole: trust boundary, errors, limits, logs (spec/enrollment-api.md §2, §4.6, §5)."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from enrollment_fakes import (
    ACTIVATION_ID,
    BASE_URL,
    DOOR_PATHS,
    REMOTE_FAILED,
    FakeCore,
    FakePush,
    Phone,
    PublicClient,
    Raw,
    Refusal,
)
from pydantic import SecretStr, ValidationError

from enrollment.app import create_app
from enrollment.settings import EnrollmentSettings
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.v3.ecies import Scope
from servicekit.calls.client import AsgiTransport, ServiceClient
from servicekit.serving import free_port, lifespan_of

Connect = Callable[..., PublicClient]


def test_the_process_holds_no_database_driver_and_starts_without_locale_data() -> None:
    program = (
        "import sys, enrollment.app; enrollment.app.create_app();"
        "held = {'sqlalchemy', 'asyncpg', 'aiosqlite', 'alembic', 'aio_pika', 'babel'}"
        " & {name.partition('.')[0] for name in sys.modules};"
        "sys.exit(str(held) if held else 0)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_settings_have_no_database_and_no_key_but_of_the_host_s_own_tls() -> None:
    secrets = {
        name
        for name, field in EnrollmentSettings.model_fields.items()
        if field.annotation is SecretStr or "key" in name.split("_") or "database" in name
    }
    credentials = {"core_client_secret", "push_client_secret", "limit_storage_url"}
    assert secrets == credentials | {"tls_key_path", "internal_key_path"}


def test_the_door_is_the_agreed_one() -> None:
    assert {
        "keystore/create",
        "envelope/keys",
        "activation/create",
        "sealed/activation/create",
        "activation/status",
        "application/public",
        "texts",
        "bundle",
        "jwks",
        "jwt/discovery",
        "jwt/introspect",
        "jwt/revoke",
        "jwt/token",
        "jwt/user-info",
        "passkey/assertion",
        "passkey/assertion/options",
        "passkey/list",
        "passkey/registration",
        "passkey/registration/options",
        "passkey/remove",
        "passkey/rename",
        "signed/verify",
        "signed/operation/approve",
        "signed/operation/reject",
        "signed/operation/history",
        "signed/token/remove",
        "signed/activation/remove",
        "signed/upgrade/commit",
        "sealed/token/create",
        "sealed/vault/unlock",
        "sealed/recovery/confirm",
        "sealed/upgrade/start",
        "sealed/user-info",
        "sealed/activation/detail",
        "sealed/activation/rename",
        "sealed/spawn",
        "sealed/exchange/activation",
        "sealed/exchange/signed",
        "sealed/exchange/string",
        "sealed/exchange/raw",
        "sealed/exchange/generics",
        "token/operation/list",
        "token/operation/detail",
        "token/operation/claim",
        "token/who-am-i",
    } == DOOR_PATHS


async def test_credentials_and_correlation_id_go_to_the_core(client: PublicClient) -> None:
    client.core.script["keystore/create"] = {"jwt": "x"}
    headers = {"X-Correlation-ID": "abcdefgh-1", "Authorization": "Basic b3duOm9uZQ=="}
    answer = await client.post("/pa/v3/keystore/create", {"requestObject": {"jwt": "a.b.c"}}, headers)
    (call,) = client.core.calls
    assert b64decode(call.headers["authorization"].removeprefix("Basic ")) == b"enrollment:door-secret"
    assert call.headers["x-correlation-id"] == answer.headers["X-Correlation-ID"] == "abcdefgh-1"


async def test_nothing_of_a_devices_headers_is_forwarded(client: PublicClient, phone: Phone) -> None:
    client.core.script["token/operation/list"] = {"authenticated": True, "operations": []}
    await client.post(
        "/api/auth/token/app/operation/list", b"{}", phone.token() | {"Cookie": "a=b", "X-Odd": "1"}
    )
    assert not {"cookie", "x-odd", "x-powerauth-token"} & set(client.core.calls[0].headers)


NOT_FOUND = (404, "ERROR_NOT_FOUND", "Resource not found.")


@pytest.mark.parametrize(
    "path",
    ["/", "/pa", "/pa/v2/token/create", "/pa/v4/status", "/api/admin/template", "/dmz/v1/texts", "/rest/v3"],
)
async def test_unknown_path(client: PublicClient, path: str) -> None:
    for method in ("GET", "POST"):
        assert (await client.send(method, path)).error == NOT_FOUND


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/pa/v3/status", {"POST", "OPTIONS"}),
        ("PUT", "/api/auth/token/app/operation/list", {"POST", "OPTIONS"}),
        ("PATCH", "/pa/v3/signature/validate", {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"}),
    ],
)
async def test_wrong_method(client: PublicClient, method: str, path: str, allowed: set[str]) -> None:
    answer = await client.send(method, path)
    assert answer.error[:2] == (405, "ERROR_GENERIC")
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", ["/pa/v3/activation/create", "/api/auth/token/app/operation/list"])
@pytest.mark.parametrize("declared", ["text/plain", "application/xml", "multipart/form-data; boundary=x"])
async def test_wrong_content_type(client: PublicClient, path: str, declared: str) -> None:
    answer = await client.send("POST", path, b"{}", {"Content-Type": declared})
    assert answer.error[:2] == (415, "ERROR_GENERIC")
    assert client.core.calls == []


@pytest.mark.parametrize(
    "declared", ["application/json;charset=UTF-8", "APPLICATION/JSON", "application/a+json", ""]
)
async def test_content_types_that_are_json(client: PublicClient, declared: str) -> None:
    answer = await client.send("POST", "/pa/v3/activation/status", b"{}", {"Content-Type": declared})
    assert answer.error[:2] == (400, "ERR_ACTIVATION")


async def test_signature_probe_takes_any_content_type(client: PublicClient, phone: Phone) -> None:
    client.core.script["signed/verify"] = {"authenticated": True, "activationId": ACTIVATION_ID}
    headers = phone.authorization() | {"Content-Type": "image/png"}
    assert (await client.send("PUT", "/pa/v3/signature/validate", b"\x89PNG", headers)).status == 200


async def test_size_limits_are_checked_before_the_core_is_called(client: PublicClient, phone: Phone) -> None:
    path = "/pa/v3/activation/remove"
    answer = await client.post(path, b"x" * (1024 * 1024 + 1), phone.authorization())
    assert answer.error[:2] == (413, "ERROR_GENERIC")
    long_header = {"X-PowerAuth-Authorization": "PowerAuth " + "x" * 9000}
    assert (await client.post(path, b"{}", long_header)).error[:2] == (413, "ERROR_GENERIC")
    assert client.core.calls == []


async def test_largest_signed_body_reaches_the_core(client: PublicClient, phone: Phone) -> None:
    client.core.script["signed/activation/remove"] = {"authenticated": True, "activationId": ACTIVATION_ID}
    body = b"x" * (1024 * 1024)
    assert (await client.post("/pa/v3/activation/remove", body, phone.authorization())).status == 200
    assert b64decode(client.core.last("signed/activation/remove")["body"]) == body


async def test_answers_are_not_cached_and_tell_no_version(client: PublicClient) -> None:
    answer = await client.post("/pa/v3/status", b"")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Server" not in answer.headers


async def test_production_shows_strangers_nothing_but_that_it_lives(connect: Connect, core: FakeCore) -> None:
    production = {"environment": "production", "test_endpoints": False, "metrics_enabled": True}
    inside = ("/v3/api-docs", "/swagger-ui/index.html", "/actuator/info", "/actuator/prometheus", "/metrics")
    opened, closed = connect(metrics_enabled=True), connect(**production, swagger_enabled=True)
    for path in inside:
        assert (await opened.send("GET", path)).status == 200, path
    for path in (*inside, "/", "/actuator/health/readiness"):
        assert (await closed.send("GET", path)).status == 404, path
    before = len(core.calls)
    for path in ("/actuator/health", "/actuator/health/liveness"):
        assert (await closed.send("GET", path)).json == {"status": "UP"}
    assert len(core.calls) == before


async def test_pages_of_other_origins_are_allowed_nothing(client: PublicClient) -> None:
    """There is no cross-origin sharing: a browser's question is answered, but no answer gives leave."""
    origin = {"Origin": "https://evil.example"}
    asked = {**origin, "Access-Control-Request-Method": "POST"}
    question = await client.send("OPTIONS", "/pa/v3/status", headers=asked)
    answers = [question, await client.post("/pa/v3/status", b"", origin)]
    assert (question.status, question.headers["Allow"]) == (200, "OPTIONS, POST")
    for answer in answers:
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert client.core.paths == []


async def test_paths_are_the_same_with_and_without_the_context_path(core: FakeCore) -> None:
    app = create_app(EnrollmentSettings(), core_transport=AsgiTransport(core))
    for base in (BASE_URL, "http://enrollment.test"):
        client = PublicClient(ServiceClient(base, transport=AsgiTransport(app)))
        assert (await client.post("/pa/v3/status", b"")).status == 200


async def test_context_path_can_be_changed(core: FakeCore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENROLLMENT_ROOT_PATH", "/other")
    app = create_app(core_transport=AsgiTransport(core))
    client = PublicClient(ServiceClient("http://enrollment.test/other", transport=AsgiTransport(app)))
    assert (await client.post("/pa/v3/status", b"")).status == 200


class TestReadiness:
    path = "/actuator/health/readiness"

    @pytest.mark.parametrize(
        ("outcome", "status"),
        [
            ({"etag": "e", "notModified": False, "rows": []}, 200),
            (Refusal("ERR0024"), 200),
            (Raw(401), 503),
            (Raw(500), 503),
        ],
    )
    async def test_needs_a_core_that_knows_the_credentials(
        self, client: PublicClient, outcome: Any, status: int
    ) -> None:
        client.core.script["texts"] = outcome
        assert (await client.send("GET", self.path)).status == status
        assert (await client.send("GET", "/actuator/health/liveness")).status == 200


async def test_unreachable_core_over_the_network() -> None:
    settings = EnrollmentSettings(core_url=f"http://127.0.0.1:{free_port()}/powerauth-java-server")
    app = create_app(settings)
    client = PublicClient(ServiceClient(BASE_URL, transport=AsgiTransport(app)))
    async with lifespan_of(app):
        answer = await client.post(
            "/pa/v3/activation/status", {"requestObject": {"activationId": ACTIVATION_ID}}
        )
    assert answer.error == REMOTE_FAILED


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENROLLMENT_TRUSTED_PROXIES", "10.0.0.0/8, 192.168.0.1")
    monkeypatch.setenv("ENROLLMENT_LANGUAGES", "en,cs")
    monkeypatch.setenv("ENROLLMENT_CORE_CLIENT_SECRET", "s")
    settings = EnrollmentSettings()
    assert settings.trusted_proxies == ("10.0.0.0/8", "192.168.0.1")
    assert settings.languages == ("en", "cs")
    assert settings.core_client_secret.get_secret_value() == "s"
    monkeypatch.setenv("ENROLLMENT_TRUSTED_PROXIES", "nonsense")
    with pytest.raises(ValidationError):
        EnrollmentSettings()


async def test_nothing_secret_is_logged(
    connect: Connect, core: FakeCore, push: FakePush, phone: Phone, caplog: pytest.LogCaptureFixture
) -> None:
    """Headers, bodies, plaintexts, keys and statements, on success, refusal and outage alike."""
    caplog.set_level(logging.DEBUG)
    client = connect()
    secrets: list[str] = [
        "door-secret",
        "push-secret",
        "VVVVV-CODE",
        "my-statement",
        "my-jwt",
        "my-push-token",
    ]
    real = core.envelope_keys

    def remembered_keys(request: dict[str, Any]) -> Any:
        answer = real(request)
        secrets.extend(answer[name] for name in ("secretKey", "requestSharedInfo2", "responseSharedInfo2"))
        return answer

    core.script["envelope/keys"] = remembered_keys
    owner = {"activationId": ACTIVATION_ID, "userId": "u", "applicationId": "a", "statement": "my-statement"}
    good: dict[str, Any] = {
        "activation/create": {
            "activationData": {"encryptedData": "INNER-ANSWER"},
            "userInfo": {"sub": "INFO"},
        },
        "sealed/vault/unlock": {"authenticated": True, "envelope": {"encryptedData": "VAULT-ANSWER"}},
        "signed/operation/approve": {"authenticated": True, "result": "APPROVED"},
        "token/who-am-i": {"authenticated": True, **owner},
        "keystore/create": {"jwt": "my-jwt"},
    }
    push.script["/push/device/create"] = {}
    secrets += ["INNER-ANSWER", "VAULT-ANSWER", "INFO", "OPERATION-DATA", "OTP-94287082"]
    with structlog.testing.capture_logs() as logs:
        for outcome in (None, Refusal("ERR0024"), Raw(500), Raw(200, b"{")):
            core.script |= good if outcome is None else dict.fromkeys(good, outcome)
            await _use_everything(client, phone, secrets)
    text = json.dumps(logs, default=str) + caplog.text
    assert "/pa/v3/activation/create" in text
    assert [secret for secret in secrets if secret in text] == []


async def _use_everything(client: PublicClient, phone: Phone, secrets: list[str]) -> None:
    inner = json.loads(phone.closed("/pa/activation", scope=Scope.APPLICATION))
    layer1 = {"type": "CODE", "identityAttributes": {"code": "VVVVV-CODE"}, "activationData": inner}
    outer = phone.generic(json.dumps(layer1).encode()).fields
    secrets += [inner["encryptedData"], outer["encryptedData"], inner["mac"], outer["mac"]]
    await client.post("/pa/v3/activation/create", outer, phone.encryption(Scope.APPLICATION))
    authorization, token = phone.authorization(), phone.token()
    secrets += [authorization["X-PowerAuth-Authorization"], token["X-PowerAuth-Token"]]
    await client.post("/pa/v3/vault/unlock", phone.closed("/pa/vault/unlock"), authorization)
    approval = {"id": "x", "data": "OPERATION-DATA", "proximityCheck": {"otp": "OTP-94287082"}}
    await client.post("/api/auth/token/app/operation/authorize", {"requestObject": approval}, authorization)
    registration = {"requestObject": {"platform": "fcm", "token": "my-push-token"}}
    await client.post("/api/push/device/register", registration, token)
    await client.post("/pa/v3/keystore/create", {"requestObject": {"jwt": "my-jwt"}})


async def test_every_endpoint_stands_in_the_api_document(client: PublicClient) -> None:
    document = (await client.send("GET", "/v3/api-docs")).json
    assert {
        "/pa/v3/activation/create",
        "/pa/v3/token/create",
        "/api/auth/token/app/operation/authorize",
    } <= set(document["paths"])


async def test_no_path_and_no_query_carries_parameters(connect: Connect) -> None:
    """All that a call is about stands in its body or a header; the signature probe's query is signed data."""
    document = (await connect(test_endpoints=True).send("GET", "/v3/api-docs")).json
    for path, operations in document["paths"].items():
        found = [parameter["in"] for one in operations.values() for parameter in one.get("parameters", ())]
        if path.startswith("/app/{applicationId}/"):
            assert found == ["path"], (
                "the issuer of an application's tokens is an address (device-trust §2.1)"
            )
            continue
        if path.startswith("/api/passkey/{activationId}"):
            assert found == ["path"], "a user's own passkey is an address (device-trust §4.9)"
            continue
        assert "{" not in path
        assert not {"path", "query"} & set(found), path
