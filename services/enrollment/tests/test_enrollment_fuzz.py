"""Whatever the core answers, the answer to the phone is never a 500 (spec/enrollment-api.md §5.4).

What phones send is generated against the real core, in `tests/fuzz` and `tests/corpus`.
"""

from __future__ import annotations

import json
import os

import pytest
from enrollment_fakes import BASE_URL, DOOR_PATHS, FakeCore, FakePush, Phone, PublicClient, Raw
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enrollment.app import create_app
from enrollment.settings import EnrollmentSettings
from powerauth_contracts.dmz import table
from powerauth_protocol.v3.ecies import Scope
from servicekit.calls.client import AsgiTransport, ServiceClient

pytestmark = pytest.mark.fuzz
SCALE = max(1, int(os.environ.get("POWERAUTH_FUZZ_SCALE", "1")))

MEMBERS = sorted(
    {"requestObject", "responseObject", "status", "code", "platform", "token", "page", "size", "type"}
    | {
        field.alias or name
        for call in table.CALLS
        for model in (call.request, call.answer)
        for name, field in model.model_fields.items()
    }
)
"""Those of the core's door, and some of ours."""
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


CORE, PUSH = FakeCore(), FakePush()
APP = create_app(
    EnrollmentSettings(
        core_url="http://core/powerauth-java-server",
        push_url="http://push/powerauth-push-server",
        test_endpoints=True,
        request_log=False,
        limit_failures_per_address=0,
        limit_keystore_per_activation=0,
        limit_status_per_activation=0,
    ),
    core_transport=AsgiTransport(CORE),
    push_transport=AsgiTransport(PUSH),
)
CLIENT = PublicClient(ServiceClient(BASE_URL, transport=AsgiTransport(APP)))
PHONE = Phone(CORE)
PATHS = [path for path in APP.openapi()["paths"] if not path.startswith("/actuator/")]


def assert_own_answer(status: int, body: bytes) -> None:
    """An answer of this API: JSON, and never an unexpected fault."""
    content = json.loads(body)
    assert status != 500, content
    if status != 200:
        assert content["status"] == "ERROR"
        assert set(content["responseObject"]) >= {"code", "message"}


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
    CORE.script = {**dict.fromkeys(DOOR_PATHS, core_answer), "envelope/keys": CORE.envelope_keys}
    body = PHONE.generic(plaintext, scope).fields
    headers = PHONE.token() | PHONE.encryption(scope)
    if scope is Scope.ACTIVATION:
        headers |= PHONE.authorization()
    answer = await CLIENT.post(path, body, headers)
    assert_own_answer(answer.status, answer.body)
