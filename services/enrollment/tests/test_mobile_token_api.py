"""The mobile token over HTTP (spec/enrollment-api.md §10)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from enrollment_fakes import (
    AUTH_FAIL,
    INVALID_REQUEST,
    REMOTE_FAILED,
    FakeCore,
    Phone,
    PublicClient,
    Raw,
    Refusal,
)

from servicekit import clock

BASE = "/api/auth/token/app/operation"
LIST, DETAIL, CLAIM = f"{BASE}/list", f"{BASE}/detail", f"{BASE}/detail/claim"
HISTORY, AUTHORIZE, CANCEL = f"{BASE}/history", f"{BASE}/authorize", f"{BASE}/cancel"
OPERATION_ID = "7e0ba60f-bf22-4ff5-b999-2733784e5eaa"
CREATED = 1_735_689_600_000

PENDING: dict[str, Any] = {
    "id": OPERATION_ID,
    "operationType": "payment",
    "data": "A1*A100CZK",
    "status": "PENDING",
    "statusReason": None,
    "parameters": {"amount": "13.7", "currency": "EUR", "name": 'Žluťoučký "kůň"'},
    "riskFlags": None,
    "signatureType": ["possession_knowledge", "possession_biometry"],
    "timestampCreated": CREATED,
    "timestampExpires": CREATED + 300_999,
    "proximityCheck": False,
    "activationFlag": None,
}
AMOUNT = [
    {"id": "a", "type": "AMOUNT", "text": "Amount", "params": {"amount": "amount", "currency": "currency"}}
]


def text_rows(request: dict[str, Any]) -> dict[str, Any]:
    """Texts of the type `payment` in two languages; of `broken`, broken ones; of others none."""
    kind = request["operationType"]
    row = {"placeholder": kind, "language": "en", "title": "Pay", "message": "To ${name}", "attributes": None}
    rows: list[dict[str, Any]] = []
    if kind == "payment":
        attributes = json.dumps(AMOUNT)
        rows = [
            row | {"attributes": attributes},
            row | {"language": "cs", "title": "Platba", "attributes": attributes},
        ]
    elif kind == "broken":
        rows = [row | {"attributes": "{"}]
    return {"etag": "e", "notModified": False, "rows": rows}


@pytest.fixture(autouse=True)
def script(core: FakeCore) -> None:
    core.script["texts"] = text_rows


def operations(*found: dict[str, Any]) -> dict[str, Any]:
    return {"authenticated": True, "operations": list(found), "timestamp": CREATED + 1999}


EXPECTED = {
    "id": OPERATION_ID,
    "name": "payment",
    "data": "A1*A100CZK",
    "status": "PENDING",
    "operationCreated": "2025-01-01T00:00:00+0000",
    "operationExpires": "2025-01-01T00:05:00+0000",
    "allowedSignatureType": {"type": "2FA", "variants": ["possession_knowledge", "possession_biometry"]},
    "formData": {
        "title": "Pay",
        "message": 'To Žluťoučký "kůň"',
        "attributes": [
            {
                "type": "AMOUNT",
                "id": "a",
                "label": "Amount",
                "amount": 13.7,
                "currency": "EUR",
                "amountFormatted": "13.70",
                "currencyFormatted": "€",
                "valueFormatted": "€13.70",
            }
        ],
    },
}


class TestList:
    async def test_success(self, client: PublicClient, phone: Phone) -> None:
        client.core.script["token/operation/list"] = operations(PENDING)
        for body in (b"", b"{}", b"not json"):
            answer = await client.post(LIST, body, phone.token())
            assert (answer.status, answer.json) == (
                200,
                {
                    "status": "OK",
                    "responseObject": [EXPECTED],
                    "currentTimestamp": "2025-01-01T00:00:01+0000",
                },
            )
        assert set(client.core.last("token/operation/list")) == {"header"}
        assert client.core.paths == [
            "token/operation/list",
            "texts",
            "token/operation/list",
            "token/operation/list",
        ]

    async def test_an_empty_list_is_written(self, client: PublicClient, phone: Phone) -> None:
        client.core.script["token/operation/list"] = operations()
        answer = await client.post(LIST, b"{}", phone.token())
        assert answer.json["responseObject"] == []

    async def test_language_of_the_request(self, client: PublicClient, phone: Phone) -> None:
        client.core.script["token/operation/list"] = operations(PENDING)
        headers = phone.token() | {"Accept-Language": "cs-CZ, en;q=0.5"}
        form_data = (await client.post(LIST, b"{}", headers)).json["responseObject"][0]["formData"]
        assert form_data["title"] == "Platba"
        assert form_data["attributes"][0]["valueFormatted"] == "13,70\u00a0€"

    async def test_operations_without_usable_texts_are_left_out(
        self, client: PublicClient, phone: Phone
    ) -> None:
        client.core.script["token/operation/list"] = operations(
            PENDING | {"operationType": "broken"}, PENDING, PENDING | {"operationType": "unknown"}
        )
        answer = await client.post(LIST, b"{}", phone.token())
        assert answer.json["responseObject"] == [EXPECTED]

    async def test_texts_of_many_operations_are_asked_for_once_a_type(
        self, client: PublicClient, phone: Phone
    ) -> None:
        client.core.script["token/operation/list"] = operations(*[PENDING] * 100)
        answer = await client.post(LIST, b"{}", phone.token())
        assert len(answer.json["responseObject"]) == 100
        assert client.core.paths == ["token/operation/list", "texts"]

    async def test_risk_flags_status_reason_and_exact_amount(
        self, client: PublicClient, phone: Phone
    ) -> None:
        parameters = {"amount": "0.567567567567567567567", "currency": "BTC", "name": "x"}
        client.core.script["token/operation/list"] = operations(
            PENDING | {"riskFlags": "X", "statusReason": "R", "parameters": parameters}
        )
        answer = await client.post(LIST, b"{}", phone.token())
        (operation,) = answer.json["responseObject"]
        assert operation["ui"] == {"flipButtons": True}
        assert operation["statusReason"] == "R"
        assert b'"amount":0.567567567567567567567,' in answer.body

    @pytest.mark.parametrize(
        ("outcome", "expected"),
        [
            ({"authenticated": False}, AUTH_FAIL),
            (
                Refusal("ERR0015"),
                (400, "INVALID_APPLICATION", "No application was found with the provided identifier."),
            ),
            (Refusal("ERR0024"), (400, "INVALID_REQUEST", "Request validation error")),
            (Refusal("ERR0034"), REMOTE_FAILED),
            (Raw(500), REMOTE_FAILED),
            ({"authenticated": True}, REMOTE_FAILED),
        ],
    )
    async def test_outcomes(
        self, client: PublicClient, phone: Phone, outcome: Any, expected: tuple[int, str, str]
    ) -> None:
        client.core.script["token/operation/list"] = outcome
        assert (await client.post(LIST, b"{}", phone.token())).error == expected


@pytest.mark.parametrize("path", [LIST, DETAIL, CLAIM])
async def test_token_header_missing_or_malformed(client: PublicClient, phone: Phone, path: str) -> None:
    headers = [
        {},
        phone.authorization(),
        phone.token(token_id="x"),
        phone.token(token_digest="AAAA"),
        phone.token(nonce="AAAA"),
        phone.token(timestamp="12"),
        phone.token(version="9.9"),
    ]
    for header in headers:
        answer = await client.post(path, {"requestObject": {"id": OPERATION_ID}}, header)
        assert answer.error == AUTH_FAIL
    assert client.core.calls == []


@dataclass(frozen=True)
class Call:
    """A call of ours, the core's call behind it, and what decides an operation."""

    path: str
    door: str
    kind: str = "possession"
    success: str = ""

    def __str__(self) -> str:
        return self.door


@pytest.mark.parametrize(
    "call", [Call(DETAIL, "token/operation/detail"), Call(CLAIM, "token/operation/claim")], ids=str
)
class TestDetailAndClaim:
    body = json.dumps({"requestObject": {"id": OPERATION_ID}}).encode()

    async def test_success(
        self, client: PublicClient, phone: Phone, call: Call, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(clock, "now_ms", lambda: CREATED)
        client.core.script[call.door] = {"authenticated": True, "operation": PENDING}
        answer = await client.post(call.path, self.body, phone.token())
        assert (answer.status, answer.json) == (
            200,
            {"status": "OK", "responseObject": EXPECTED, "currentTimestamp": "2025-01-01T00:00:00+0000"},
        )
        assert client.core.last(call.door)["id"] == OPERATION_ID

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            ("CANCELED", "OPERATION_ALREADY_CANCELED"),
            ("APPROVED", "OPERATION_ALREADY_FINISHED"),
            ("REJECTED", "OPERATION_ALREADY_FINISHED"),
            ("FAILED", "OPERATION_ALREADY_FAILED"),
            ("EXPIRED", "OPERATION_EXPIRED"),
        ],
    )
    async def test_operation_that_is_over(
        self, client: PublicClient, phone: Phone, call: Call, status: str, code: str
    ) -> None:
        client.core.script[call.door] = {"authenticated": True, "operation": PENDING | {"status": status}}
        assert (await client.post(call.path, self.body, phone.token())).error[:2] == (400, code)

    async def test_texts_missing_or_broken(self, client: PublicClient, phone: Phone, call: Call) -> None:
        client.core.script[call.door] = {
            "authenticated": True,
            "operation": PENDING | {"operationType": "unknown"},
        }
        answer = await client.post(call.path, self.body, phone.token())
        assert answer.error == (400, "INVALID_REQUEST", "Template not found")
        client.core.script[call.door] = {
            "authenticated": True,
            "operation": PENDING | {"operationType": "broken"},
        }
        answer = await client.post(call.path, self.body, phone.token())
        assert answer.error == (500, "ERR_CONFIG", "Invalid JSON structure for the configuration.")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"text",
            b"{}",
            b'{"requestObject":null}',
            b'{"requestObject":{"id":null}}',
            b'{"requestObject":{"id":5}}',
        ],
    )
    async def test_token_is_judged_before_the_body(
        self, client: PublicClient, phone: Phone, call: Call, body: bytes
    ) -> None:
        client.core.script[call.door] = {"authenticated": False}
        assert (await client.post(call.path, body, phone.token())).error == AUTH_FAIL
        for outcome in (Refusal("ERR0024"), Refusal("ERR0034")):
            client.core.script[call.door] = outcome
            assert (await client.post(call.path, body, phone.token())).error == INVALID_REQUEST
        assert client.core.last(call.door)["id"] == ""

    @pytest.mark.parametrize(
        ("outcome", "expected"),
        [
            ({"authenticated": False}, AUTH_FAIL),
            (
                Refusal("ERR0034"),
                (400, "INVALID_OPERATION", "No operation was found with the provided identifier."),
            ),
            (Refusal("ERR0015"), REMOTE_FAILED),
            (Raw(503), REMOTE_FAILED),
            ({"authenticated": True, "operation": None}, REMOTE_FAILED),
        ],
    )
    async def test_outcomes(
        self, client: PublicClient, phone: Phone, call: Call, outcome: Any, expected: tuple[int, str, str]
    ) -> None:
        client.core.script[call.door] = outcome
        assert (await client.post(call.path, self.body, phone.token())).error == expected


async def test_one_time_password_is_never_shown(client: PublicClient, phone: Phone) -> None:
    client.core.script["token/operation/list"] = operations(
        PENDING | {"proximityOtp": "94287082", "otp": "94287082"}
    )
    answer = await client.post(LIST, b"{}", phone.token())
    assert b"94287082" not in answer.body


@pytest.mark.parametrize("shown", [{"digits": 2}, {"digits": 2, "choices": ["07", "42", "88"]}])
async def test_the_app_is_told_what_number_to_ask_for(
    client: PublicClient, phone: Phone, shown: dict[str, Any]
) -> None:
    client.core.script["token/operation/list"] = operations(PENDING | {"numberMatching": shown})
    (operation,) = (await client.post(LIST, b"{}", phone.token())).json["responseObject"]
    assert operation == EXPECTED | {"ui": {"numberMatching": shown}}


class TestHistory:
    async def test_success(self, client: PublicClient, phone: Phone) -> None:
        client.core.script["signed/operation/history"] = operations(PENDING | {"status": "REJECTED"})
        for kind in ("possession_knowledge", "possession_biometry"):
            answer = await client.post(HISTORY, b"{}", phone.authorization(kind))
            assert answer.json == {"status": "OK", "responseObject": [EXPECTED | {"status": "REJECTED"}]}
        assert base64.b64decode(client.core.last("signed/operation/history")["body"]) == b"{}"

    @pytest.mark.parametrize("kind", ["possession", "possession_knowledge_biometry"])
    async def test_other_types(self, client: PublicClient, phone: Phone, kind: str) -> None:
        assert (await client.post(HISTORY, b"{}", phone.authorization(kind))).error == AUTH_FAIL
        assert client.core.calls == []

    async def test_outcomes(self, client: PublicClient, phone: Phone) -> None:
        for outcome, expected in (
            ({"authenticated": False}, AUTH_FAIL),
            (Refusal("ERR0024"), (400, "INVALID_REQUEST", "Request validation error")),
            (Raw(500), REMOTE_FAILED),
        ):
            client.core.script["signed/operation/history"] = outcome
            assert (await client.post(HISTORY, b"{}", phone.authorization())).error == expected


BODY = json.dumps({"requestObject": {"id": OPERATION_ID, "data": "A1*A100CZK"}}).encode()
DECISIONS = (
    Call(AUTHORIZE, "signed/operation/approve", "possession_knowledge", "APPROVED"),
    Call(CANCEL, "signed/operation/reject", "possession", "REJECTED"),
)


@pytest.mark.parametrize("call", DECISIONS, ids=str)
class TestDecisions:
    async def test_success_carries_body_address_and_agent(
        self, connect: Callable[..., PublicClient], core: FakeCore, phone: Phone, call: Call
    ) -> None:
        client = connect(trusted_proxies="127.0.0.0/8")
        core.script[call.door] = {
            "authenticated": True,
            "result": call.success,
            "operationStatus": call.success,
        }
        headers = phone.authorization(call.kind) | {
            "User-Agent": "phone " * 100,
            "X-Forwarded-For": "6.6.6.6, 203.0.113.7",
        }
        answer = await client.post(call.path, BODY, headers)
        assert (answer.status, answer.json) == (200, {"status": "OK"})
        request = core.last(call.door)
        assert base64.b64decode(request["body"]) == BODY
        assert request["clientAddress"] == "203.0.113.7"
        assert request["userAgent"] == ("phone " * 100)[:256]
        assert set(request) == {"header", "body", "clientAddress", "userAgent"}
        assert core.paths == [call.door]

    async def test_header_that_cannot_authenticate_touches_no_operation(
        self, client: PublicClient, phone: Phone, call: Call
    ) -> None:
        headers = [
            {},
            phone.token(),
            phone.authorization("knowledge"),
            phone.authorization("possession_knowledge_biometry"),
            phone.authorization(call.kind, version="2.1"),
            phone.authorization(call.kind, signature="x"),
        ]
        if call.path == CANCEL:
            headers.append(phone.authorization("possession_knowledge"))
        for header in headers:
            assert (await client.post(call.path, BODY, header)).error == AUTH_FAIL
        assert client.core.calls == []

    async def test_wrong_signature(self, client: PublicClient, phone: Phone, call: Call) -> None:
        client.core.script[call.door] = {"authenticated": False, "operationStatus": "PENDING"}
        assert (await client.post(call.path, BODY, phone.authorization(call.kind))).error == AUTH_FAIL
        client.core.script[call.door] = {"authenticated": False, "operationStatus": "FAILED"}
        answer = await client.post(call.path, BODY, phone.authorization(call.kind))
        assert answer.error == (400, "OPERATION_ALREADY_FAILED", "Operation already failed")

    async def test_refusal_and_outage(self, client: PublicClient, phone: Phone, call: Call) -> None:
        client.core.script[call.door] = Refusal("ERR0034")
        assert (await client.post(call.path, BODY, phone.authorization(call.kind))).error[:2] == (
            400,
            "INVALID_OPERATION",
        )
        for outage in (Raw(500), Raw(503), Raw(200, b"{}"), Refusal("ERR0000")):
            client.core.script[call.door] = outage
            assert (await client.post(call.path, BODY, phone.authorization(call.kind))).error == REMOTE_FAILED

    async def test_request_without_object(self, client: PublicClient, phone: Phone, call: Call) -> None:
        client.core.script[call.door] = {"authenticated": True, "refusal": "REQUEST_INVALID"}
        for body in (b"", b"text", b"{}"):
            assert (await client.post(call.path, body, phone.authorization(call.kind))).error == AUTH_FAIL


async def test_every_approving_factor(client: PublicClient, phone: Phone) -> None:
    client.core.script["signed/operation/approve"] = {"authenticated": True, "result": "APPROVED"}
    for kind in ("possession", "possession_knowledge", "possession_biometry"):
        assert (await client.post(AUTHORIZE, BODY, phone.authorization(kind))).status == 200


async def test_failed_approval_of_a_pending_operation_is_401(client: PublicClient, phone: Phone) -> None:
    client.core.script["signed/operation/approve"] = {
        "authenticated": True,
        "result": "APPROVAL_FAILED",
        "operationStatus": "PENDING",
    }
    answer = await client.post(AUTHORIZE, BODY, phone.authorization())
    assert answer.error == (401, "OPERATION_FAILED", "PowerAuth server operation approval fails")


async def test_switched_off(connect: Callable[..., PublicClient], phone: Phone) -> None:
    client = connect(mobile_token_enabled=False)
    for path in (LIST, DETAIL, CLAIM, HISTORY, AUTHORIZE, CANCEL):
        assert (await client.post(path, b"{}", phone.token())).error[:2] == (404, "ERROR_NOT_FOUND")
