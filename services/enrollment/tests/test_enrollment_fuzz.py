"""Whatever a device or the core sends, the answer is never a 500 (spec/enrollment-api.md §5.4)."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from enrollment_fakes import BASE_URL, DOOR_PATHS, FakeCore, FakePush, Phone, PublicClient, Raw
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enrollment.app import create_app
from enrollment.settings import EnrollmentSettings
from powerauth_protocol.v3.ecies import Scope
from servicekit.http import AsgiTransport, ServiceClient

pytestmark = pytest.mark.fuzz
SCALE = max(1, int(os.environ.get("POWERAUTH_FUZZ_SCALE", "1")))

PATHS = [
    "/pa/v3/status",
    "/pa/v3/keystore/create",
    "/pa/v3/activation/create",
    "/pa/v3/activation/status",
    "/pa/v3/activation/remove",
    "/pa/v3/activation/detail",
    "/pa/v3/activation/rename",
    "/pa/v3/token/create",
    "/pa/v3/token/remove",
    "/pa/v3/vault/unlock",
    "/pa/v3/signature/validate",
    "/pa/v3/upgrade/start",
    "/pa/v3/upgrade/commit",
    "/pa/v3/recovery/confirm",
    "/pa/v3/user/info",
    "/api/auth/token/app/operation/list",
    "/api/auth/token/app/operation/detail",
    "/api/auth/token/app/operation/detail/claim",
    "/api/auth/token/app/operation/history",
    "/api/auth/token/app/operation/authorize",
    "/api/auth/token/app/operation/cancel",
    "/api/push/device/register",
    "/api/inbox/count",
    "/api/inbox/message/list",
    "/api/inbox/message/detail",
    "/api/inbox/message/read",
    "/api/inbox/message/read-all",
    "/api/config/oidc",
    "/exchange/v3/application",
    "/exchange/v3/activation",
    "/exchange/v3/signed",
    "/exchange/v3/signed/string",
    "/exchange/v3/signed/raw",
    "/exchange/v3/signed/generics",
]
MEMBERS = [
    "requestObject",
    "responseObject",
    "authenticated",
    "jwt",
    "id",
    "activationId",
    "challenge",
    "tokenId",
    "platform",
    "token",
    "page",
    "size",
    "type",
    "encryptedData",
    "ephemeralPublicKey",
    "mac",
    "nonce",
    "timestamp",
    "temporaryKeyId",
    "operations",
    "operation",
    "envelope",
    "secretKey",
    "sharedInfo2",
    "activationData",
    "identityAttributes",
    "status",
    "code",
    "userId",
    "applications",
    "rows",
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=30)
    | st.sampled_from(["OK", "AAAA", "PENDING", "possession", "APPROVED"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5),
    max_leaves=12,
)
JSON_TEXT = JSON.map(lambda value: json.dumps(value).encode())
WRAPPED = st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=6).map(
    lambda value: json.dumps({"requestObject": value}).encode()
)
BODIES = st.binary(max_size=200) | JSON_TEXT | WRAPPED | st.just(b"[" * 50_000)
HEADER_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=120)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "X-PowerAuth-Authorization",
            "X-PowerAuth-Encryption",
            "X-PowerAuth-Token",
            "Accept-Language",
            "User-Agent",
            "X-Forwarded-For",
            "X-Correlation-ID",
        ]
    ),
    HEADER_TEXT | HEADER_TEXT.map(lambda text: f"PowerAuth {text}"),
    max_size=4,
)
ANSWERS = st.builds(
    Raw,
    st.sampled_from([200, 200, 200, 200, 400, 400, 401, 404, 429, 500]),
    st.binary(max_size=50)
    | JSON_TEXT
    | st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=6).map(
        lambda value: json.dumps({"status": "OK", "responseObject": value | {"authenticated": True}}).encode()
    ),
)
KINDS = st.sampled_from(["possession", "possession_knowledge", "possession_biometry"])
RELAXED = settings(max_examples=300 * SCALE, deadline=None, suppress_health_check=list(HealthCheck))


def service(core: FakeCore, push: FakePush) -> PublicClient:
    limits: dict[str, Any] = {
        "limit_failures_per_address": 0,
        "limit_keystore_per_activation": 0,
        "limit_status_per_activation": 0,
    }
    app = create_app(
        EnrollmentSettings(
            core_url="http://core/powerauth-java-server",
            push_url="http://push/powerauth-push-server",
            test_endpoints=True,
            trusted_proxies=("127.0.0.1",),
            request_log=False,
            **limits,
        ),
        core_transport=AsgiTransport(core),
        push_transport=AsgiTransport(push),
    )
    return PublicClient(ServiceClient(BASE_URL, transport=AsgiTransport(app)))


def assert_own_answer(status: int, body: bytes) -> None:
    """An answer of this API: JSON, and never an unexpected fault."""
    content = json.loads(body)
    assert status != 500, content
    if status != 200:
        assert content["status"] == "ERROR"
        assert set(content["responseObject"]) >= {"code", "message"}


CORE, PUSH = FakeCore(), FakePush()
CLIENT = service(CORE, PUSH)
PHONE = Phone(CORE)


@RELAXED
@given(st.sampled_from(PATHS), HEADERS, BODIES)
async def test_any_request(path: str, headers: dict[str, str], body: bytes) -> None:
    CORE.script, PUSH.script = {}, {}
    answer = await CLIENT.post(path, body, headers)
    assert_own_answer(answer.status, answer.body)
    assert set(CORE.paths) <= DOOR_PATHS


@RELAXED
@given(st.sampled_from(PATHS), KINDS, BODIES, ANSWERS, ANSWERS)
async def test_any_body_with_good_headers_and_any_answer_of_the_core(
    path: str, kind: str, body: bytes, core_answer: Raw, push_answer: Raw
) -> None:
    CORE.script = dict.fromkeys(DOOR_PATHS, core_answer)
    PUSH.script = dict.fromkeys((call.path for call in PUSH.calls), push_answer)
    headers = PHONE.authorization(kind) | PHONE.token() | PHONE.encryption(Scope.APPLICATION)
    answer = await CLIENT.post(path, body, headers)
    assert_own_answer(answer.status, answer.body)


@RELAXED
@given(st.sampled_from(PATHS), st.sampled_from(list(Scope)), BODIES, ANSWERS)
async def test_any_plaintext_in_a_good_envelope(
    path: str, scope: Scope, plaintext: bytes, core_answer: Raw
) -> None:
    CORE.script = dict.fromkeys(DOOR_PATHS, core_answer) | {"envelope/keys": CORE.envelope_keys}
    body = PHONE.generic(plaintext, scope).fields
    headers = PHONE.token() | PHONE.encryption(scope)
    if scope is Scope.ACTIVATION:
        headers |= PHONE.authorization()
    answer = await CLIENT.post(path, body, headers)
    assert_own_answer(answer.status, answer.body)


@RELAXED
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#"), max_size=60))
async def test_any_query(query: str) -> None:
    CORE.script = {"signed/verify": {"authenticated": True, "activationId": "x"}}
    path = f"/pa/v3/signature/validate?{query}"
    answer = await CLIENT.send("GET", path, headers=PHONE.authorization())
    assert_own_answer(answer.status, answer.body)
