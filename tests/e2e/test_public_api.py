"""One phone of each protocol version goes through every part of the public API, in both deployments.

What other files go through in detail (key exchange, factors, blocking, recovery, spawning) is only touched.
"""

import json
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from e2e_stacks import DEPLOYMENTS, REACHES_THIS_MACHINE, Stack, running
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from powerauth_protocol.v3.ecies import Scope, SharedInfo1
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk import (
    AppConfig,
    Device,
    DeviceProfile,
    Inbox,
    MobileToken,
    Operation,
    ServerRefused,
    identity_provider,
    register_for_push,
    server_status,
)
from servicekit.serving import BackgroundServer
from servicekit.testing import PATIENCE_SECONDS

pytestmark = pytest.mark.e2e
PIN = "1234"
RECORDED = Path(__file__).parent / "recorded" / "inbox_of_the_sdk.json"
DATE = re.compile(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+0000"')
P, PK, PB = (SignatureType.POSSESSION, SignatureType.POSSESSION_KNOWLEDGE, SignatureType.POSSESSION_BIOMETRY)
TYPE = "walk"
TEMPLATES: dict[str, dict[str, Any]] = {
    "two factors": {"signatureType": ["POSSESSION_KNOWLEDGE", "POSSESSION_BIOMETRY"]},
    "one factor": {"signatureType": ["POSSESSION"]},
    "knowledge": {"signatureType": ["POSSESSION_KNOWLEDGE"], "operationType": "bare", "riskFlags": "FXC"},
    "proximity": {"signatureType": ["POSSESSION_KNOWLEDGE"], "proximityCheckEnabled": True},
    "number": {"signatureType": ["POSSESSION_KNOWLEDGE"], "numberMatching": {"digits": 2, "choices": 0}},
}
PARAMETERS = {
    "amount": "1710.9867",
    "currency": "EUR",
    "other": "40000",
    "otherCurrency": "CZK",
    "dynamic": "TRUE",
    "level": "2",
    "note": 'A "note"\nof two lines',
    "iban": "CZ2730300000001165254011",
    "kind": "warning",
    "picture": "https://bank.example/picture.png",
    "shop": "Shop",
}
SLOTS = {
    "AMOUNT": {"amount": "amount", "currency": "currency"},
    "AMOUNT_CONVERSION": {
        "dynamic": "dynamic",
        "sourceAmount": "amount",
        "sourceCurrency": "currency",
        "targetAmount": "other",
        "targetCurrency": "otherCurrency",
    },
    "HEADING": {"level": "level"},
    "KEY_VALUE": {"value": "iban"},
    "NOTE": {"note": "note"},
    "ALERT": {"type": "kind", "title": "shop", "message": "note"},
    "IMAGE": {"thumbnailUrl": "picture"},
    "PARTY_INFO": {"name": "shop", "logoUrl": "picture", "websiteUrl": "missing"},
}
ATTRIBUTES = [
    *(
        {"id": kind, "type": kind, "text": f"Text of {kind}", "params": slots}
        for kind, slots in SLOTS.items()
    ),
    {"id": "left out", "type": "KEY_VALUE", "text": "No value", "params": {"value": "missing"}},
]
UI: dict[str, Any] = {
    "flipButtons": True,
    "blockApprovalOnCall": False,
    "preApprovalScreen": {
        "type": "WARNING",
        "heading": "Watch out",
        "message": "${shop} wants money",
        "items": ["Look twice"],
        "approvalType": "SLIDER",
    },
    "postApprovalScreen": {
        "type": "MERCHANT_REDIRECT",
        "heading": "Thank you",
        "message": "Back to ${shop}",
        "payload": {"redirectText": "Go", "redirectUrl": "https://shop.example", "countdown": 5},
    },
}
RESULT_TEXTS = {"success": "Paid ${amount}", "failure": "Not paid", "reject": "Rejected"}
SHOWN: dict[str, dict[str, Any]] = {
    "AMOUNT": {"amount": 1710.9867, "currencyFormatted": "€", "valueFormatted": "€1,710.9867"},
    "AMOUNT_CONVERSION": {
        "dynamic": True,
        "sourceValueFormatted": "€1,710.9867",
        "targetValueFormatted": "CZK40,000.00",
    },
    "HEADING": {"level": 2},
    "KEY_VALUE": {"value": PARAMETERS["iban"]},
    "NOTE": {"note": PARAMETERS["note"]},
    "ALERT": {"alertType": "WARNING", "title": "Shop"},
    "IMAGE": {"thumbnailUrl": PARAMETERS["picture"]},
    "PARTY_INFO": {"partyInfo": {"name": "Shop", "logoUrl": PARAMETERS["picture"]}},
}


@dataclass
class Walk:
    """The stack, and what phones of its application meet."""

    stack: Stack
    application_id: str
    sdk_config: str

    async def phone(self, version: ProtocolVersion) -> tuple[Device, str]:
        """An active phone with biometry, and its user."""
        user = f"user-{uuid4().hex[:8]}"
        device = Device(AppConfig.from_sdk_config(self.stack.enrollment, self.sdk_config, version))
        created = await self.stack.core.call(
            "activation/init", userId=user, applicationId=self.application_id, commitPhase="ON_KEY_EXCHANGE"
        )
        await device.activate_with_code(
            created["activationCode"], PIN, profile=DeviceProfile(name="Phone", biometry=True)
        )
        return device, user

    async def operation(self, user: str, template: str) -> str:
        """A new operation of a user."""
        created = await self.stack.core.call(
            "operation/create",
            userId=user,
            applications=[self.application_id],
            templateName=f"{template} {self.application_id}",
            parameters=PARAMETERS,
        )
        return str(created["id"])

    async def status_of(self, operation_id: str) -> str:
        """As the bank sees it."""
        return str((await self.stack.core.call("operation/detail", operationId=operation_id))["status"])


@pytest.fixture(scope="module", params=DEPLOYMENTS)
async def walk(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Walk]:
    async with AsyncExitStack() as running_servers:
        extras = await running_servers.enter_async_context(BackgroundServer(_status_extras()))
        settings = {
            **REACHES_THIS_MACHINE,
            "CORE_STATUS_CUSTOM_OBJECT_URL": extras.url,
            "ENROLLMENT_TEST_ENDPOINTS": "true",
            "ENROLLMENT_APPLICATION_NAME": "Walk",
        }
        folder = tmp_path_factory.mktemp("walk")
        stack = await running_servers.enter_async_context(running(request.param, folder, settings))
        yield await _provisioned(stack)


def _status_extras() -> Starlette:
    """The operator's addition to a status."""

    async def answer(request: Request) -> Response:
        content = await request.json()
        return JSONResponse({"maintenance": False, "platform": content["platform"]})

    return Starlette(routes=[Route("/", answer, methods=["POST"])])


async def _provisioned(stack: Stack) -> Walk:
    core, application_id = stack.core, f"walk-{uuid4().hex[:8]}"
    await core.call("application/create", applicationId=application_id)
    await stack.equip(application_id)
    detail = await core.call("application/detail", applicationId=application_id)
    provider = {
        "providerId": "login",
        "clientId": "app",
        "clientSecret": "never-told",
        "scopes": "openid",
        "authorizeUri": "https://login.example/authorize",
        "tokenUri": "https://login.example/token",
        "jwkSetUri": "https://login.example/keys",
        "redirectUri": "app://login",
    }
    await core.call(
        "application/config/create", applicationId=application_id, key="oauth2_providers", values=[provider]
    )
    for name, template in TEMPLATES.items():
        await core.call(
            "operation/template/create",
            templateName=f"{name} {application_id}",
            dataTemplate="A1*A${amount}${currency}*N${note}",
            maxFailureCount=3,
            expiration=300,
            **{"operationType": TYPE, **template},
        )
    admin = stack.bank()
    texts = {"title": "Pay ${shop}", "message": "${amount} ${currency}", "attributes": ATTRIBUTES}
    await admin.call(
        "PUT", f"/admin/operations/texts/{TYPE}/en", {**texts, "ui": UI, "resultTexts": RESULT_TEXTS}
    )
    await admin.call("PUT", f"/admin/operations/texts/{TYPE}/cs", {**texts, "title": "Platba ${shop}"})
    await admin.call("PUT", "/admin/operations/texts/bare/sk", {"title": "Len po slovensky", "message": "-"})
    await admin.close()
    return Walk(stack, application_id, detail["versions"][0]["mobileSdkConfig"])


@pytest.mark.parametrize("version", list(ProtocolVersion), ids=str)
async def test_a_phone_goes_through_the_public_api(walk: Walk, version: ProtocolVersion) -> None:
    phone, user = await walk.phone(version)
    await _what_the_server_tells(walk, phone)
    await _activation(phone, user)
    await _signatures_and_tokens(phone)
    await _no_upgrade(phone)
    await _encrypted_examples(phone, user)
    await _texts(walk, phone, user)
    await _decisions(walk, phone, user)
    await _push_and_inbox(walk, phone, user)
    await phone.remove(PIN)
    assert not phone.activated


async def _what_the_server_tells(walk: Walk, phone: Device) -> None:
    status = await server_status(phone.transport)
    assert (status.name, status.version) == ("Walk", "UNKNOWN")
    assert status.time_ms > 1_700_000_000_000
    assert await identity_provider(phone, "login") == {
        "providerId": "login",
        "clientId": "app",
        "scopes": "openid",
        "authorizeUri": "https://login.example/authorize",
        "redirectUri": "app://login",
        "pkceEnabled": False,
    }
    assert await _refused(identity_provider(phone, "unknown")) == (400, "APPLICATION_CONFIGURATION_ERROR")


async def _activation(phone: Device, user: str) -> None:
    status = await phone.status()
    assert status.state == "ACTIVE"
    assert status.custom_object == {"maintenance": False, "platform": "simulator"}
    assert (await phone.user_info())["sub"] == user
    assert (await phone.rename("Renamed ☎", PIN))["activationName"] == "Renamed ☎"
    assert (await phone.detail("two factors", PB, None))["activationName"] == "Renamed ☎"


async def _signatures_and_tokens(phone: Device) -> None:
    for method, body in (("POST", b"any"), ("PUT", b"{}"), ("DELETE", b""), ("GET", b"b=2&a=1%20x")):
        await phone.validate_signature(method=method, body=body, pin=PIN)
    await phone.validate_signature(signature_type=SignatureType.POSSESSION_KNOWLEDGE_BIOMETRY, pin=PIN)
    first = await phone.token("to be removed", PK, PIN)
    await phone.remove_token("to be removed", P)
    assert (await phone.token("to be removed", PK, PIN)).token_id != first.token_id


async def _no_upgrade(phone: Device) -> None:
    start = phone.encryption.call(
        "/pa/v3/upgrade/start", Scope.ACTIVATION, SharedInfo1.UPGRADE, b"{}", state=phone.state
    )
    assert await _refused(start) == (400, "ERR_UPGRADE")
    answer = await phone.signed_call("/pa/v3/upgrade/commit", uri_id="/pa/upgrade/commit", signature_type=P)
    assert (answer.status, answer.json()["responseObject"]["code"]) == (400, "ERR_UPGRADE")


async def _encrypted_examples(phone: Device, user: str) -> None:
    for scope in Scope:
        sent = b'{"data":"x"}'
        plaintext = await phone.encryption.call(
            f"/exchange/v3/{scope.value}", scope, SharedInfo1.generic(scope), sent, state=phone.state
        )
        told = f"Server successfully decrypted signed data: x, scope: {scope.value.upper()}_SCOPE"
        assert json.loads(plaintext) == {"data": told}
    verified = "Server successfully decrypted data and verified signature"
    sentence = f'"{verified}, request data: text, user ID: {user}"'
    for part, sent, expected in (
        ("", b'{"data":"x"}', None),
        ("/string", b'"text"', sentence.encode()),
        ("/raw", b"\x00\xff raw", b"\x00\xff raw"),
        ("/generics", b'{"requestObject":{"data":"x"}}', b'{"status":"OK","responseObject":{"data":"x"}}'),
    ):
        path = f"/exchange/v3/signed{part}"
        got = await phone.signed_then_encrypted_call(path, uri_id=path, plaintext=sent, pin=PIN)
        assert user in json.loads(got)["data"] if expected is None else got == expected
    path = "/exchange/v3/signed/raw"
    weak = phone.signed_then_encrypted_call(path, uri_id=path, plaintext=b"x", signature_type=P)
    assert await _refused(weak) == (401, "ERR_AUTHENTICATION")


async def _texts(walk: Walk, phone: Device, user: str) -> None:
    operation_id = await walk.operation(user, "two factors")
    form = (await MobileToken(phone).detail(operation_id)).content["formData"]
    shown = {attribute["id"]: attribute for attribute in form["attributes"]}
    assert list(shown) == list(SHOWN)
    for kind, expected in SHOWN.items():
        assert (shown[kind]["type"], shown[kind]["label"]) == (kind, f"Text of {kind}")
        assert {name: shown[kind][name] for name in expected} == expected
    assert form["resultTexts"] == RESULT_TEXTS | {"success": "Paid 1710.9867"}
    for language, title in (("en-GB", "Pay Shop"), ("cs-CZ,en;q=0.5", "Platba Shop"), ("fr", "Pay Shop")):
        (listed,) = await MobileToken(phone, language).pending()
        assert listed.title == title
        ui = listed.content.get("ui")
        # Each language is a row of its own, screens included.
        assert (ui is None) == (title == "Platba Shop")
    (english,) = await MobileToken(phone).pending()
    screens = english.content["ui"]
    assert screens["preApprovalScreen"] == UI["preApprovalScreen"] | {"message": "Shop wants money"}
    assert screens["postApprovalScreen"] == UI["postApprovalScreen"] | {"message": "Back to Shop"}
    (czech,) = await MobileToken(phone, "cs").pending()
    amount = czech.content["formData"]["attributes"][0]
    assert amount["valueFormatted"] == "1\u00a0710,9867\u00a0€"
    await MobileToken(phone).reject(english, "UNEXPECTED_OPERATION")


async def _decisions(walk: Walk, phone: Device, user: str) -> None:
    operations = MobileToken(phone)

    async def detail(template: str) -> Operation:
        return await operations.detail(await walk.operation(user, template))

    for factor in (PK, PB):
        operation = await detail("two factors")
        assert operation.content["allowedSignatureType"] == {
            "type": "2FA",
            "variants": ["possession_knowledge", "possession_biometry"],
        }
        await operations.approve(operation, PIN if factor is PK else None, signature_type=factor)
        assert await walk.status_of(operation.id) == "APPROVED"
    operation = await detail("one factor")
    assert operation.content["allowedSignatureType"] == {"type": "1FA", "variants": []}
    await operations.approve(operation, None, signature_type=P)
    operation = await detail("knowledge")
    # A type that has texts in one language only is shown in that one, whatever is asked for.
    assert operation.title == "Len po slovensky"
    assert operation.content["allowedSignatureType"]["variants"] == ["possession_knowledge"]
    assert operation.content["ui"] == {
        "flipButtons": True,
        "blockApprovalOnCall": True,
        "preApprovalScreen": {"type": "WARNING", "approvalType": "SLIDER"},
    }
    wrong_factor = operations.approve(operation, None, signature_type=PB)
    assert await _refused(wrong_factor) == (401, "OPERATION_FAILED")
    await operations.approve(operation, PIN)
    for kind in ("QR_CODE", "DEEPLINK"):
        operation = await detail("proximity")
        assert await _refused(operations.approve(operation, PIN)) == (401, "OPERATION_FAILED")
        otp = (await walk.stack.core.call("operation/detail", operationId=operation.id))["proximityOtp"]
        assert otp not in json.dumps(operation.content)
        check = {"otp": otp, "type": kind, "timestampReceived": "2025-01-01T00:00:00.000Z"}
        await operations.approve(operation, PIN, proximity_check=check)
    operation = await detail("number")
    assert operation.number_matching == {"digits": 2}
    assert await _refused(operations.approve(operation, PIN)) == (401, "OPERATION_FAILED")
    shown = await walk.stack.core.call("operation/detail", operationId=operation.id)
    await operations.approve(operation, PIN, number=shown["numberMatching"])
    assert {item.status for item in await operations.history(PIN)} == {"APPROVED", "REJECTED"}
    assert await operations.pending() == []


async def _push_and_inbox(walk: Walk, phone: Device, user: str) -> None:
    await _ringing(walk, phone, user)
    ids = [await _put_into_inbox(walk, user, f"Message {number}") for number in range(3)]
    not_yours = await _put_into_inbox(walk, "another user", "Not yours")
    inbox = Inbox(phone)
    assert await inbox.count_unread() == 3
    newest = await inbox.messages(size=2)
    assert {message.id for message in newest} < set(ids)
    assert [message.id for message in await inbox.messages(page=1, size=2)] == [
        message_id for message_id in ids if message_id not in {message.id for message in newest}
    ]
    assert (await inbox.message(ids[0])).body == "<p>Message 0</p>"
    await inbox.mark_read(ids[0])
    await inbox.mark_read(ids[0])
    assert {message.id for message in await inbox.messages(only_unread=True)} == set(ids[1:])
    await inbox.mark_all_read()
    assert await inbox.count_unread() == 0
    for attempt in (inbox.message(not_yours), inbox.mark_read(not_yours), inbox.message("unknown")):
        assert await _refused(attempt) == (400, "INBOX_FAILED")


async def _ringing(walk: Walk, phone: Device, user: str) -> None:
    """What the phone registers rings for its user and for nobody else."""
    token = secrets.token_hex(32)
    await register_for_push(phone, "apns", token, "production")
    body = {"title": "Payment", "body": "Approve it"}
    for receiver, sent in ((user, 1), ("another user", 0)):
        message = {"userId": receiver, "attributes": {"personal": True}, "body": body}
        asked = {"appId": walk.application_id, "mode": "SYNCHRONOUS", "message": message}
        counted = await walk.stack.push.call("POST", "/push/message/send", asked)
        assert counted["apns"]["sent"] == sent
    async with httpx2.AsyncClient() as http:
        messages = (await http.get(f"{walk.stack.phones}/{token}")).json()["messages"]
    # What was told of its operations before may come in between.
    shown = [(one["provider"], one["body"]) for one in messages if one["title"] == "Payment"]
    assert shown == [("APNs", "Approve it")]


async def test_the_mobile_token_sdk_reads_its_inbox(walk: Walk) -> None:
    """Byte for byte what it sends, and members and values of what it gets (spec/enrollment-api.md §10.11)."""
    recorded = json.loads(RECORDED.read_text())
    phone, user = await walk.phone(ProtocolVersion.V3_3)
    token = await phone.token("possession_universal")
    known = {
        "<token>": secrets.token_hex(32),
        "<first>": await _put_into_inbox(walk, user, "First message", kind="text"),
        "<second>": await _put_into_inbox(walk, user, "Second message"),
    }
    async with httpx2.AsyncClient(base_url=walk.stack.enrollment, timeout=PATIENCE_SECONDS) as http:
        for exchange in recorded["exchanges"]:
            body = _filled(json.dumps(exchange["body"]), known)
            headers = recorded["headers"] | phone.token_header(token)
            answer = await http.post(exchange["path"], content=body, headers=headers)
            assert answer.status_code == exchange.get("refused", 200), exchange["path"]
            expected = json.loads(_filled(json.dumps(exchange["answer"]), known))
            assert json.loads(DATE.sub('"<date>"', answer.text)) == expected


def _filled(text: str, known: Mapping[str, str]) -> str:
    for name, value in known.items():
        text = text.replace(name, value)
    return text


async def _put_into_inbox(walk: Walk, user: str, subject: str, kind: str = "html") -> str:
    message = {
        "userId": user,
        "type": kind,
        "subject": subject,
        "summary": "Short text",
        "body": f"<p>{subject}</p>",
        "applications": [walk.application_id],
    }
    return str((await walk.stack.push.call("POST", "/inbox/messages", message))["id"])


async def _refused(attempt: Any) -> tuple[int, str]:
    with pytest.raises(ServerRefused) as refused:
        await attempt
    return refused.value.http_status, refused.value.code
