"""What passes the enrollment service closed: opened, acted on and sealed here (D1 rule 4; enrollment-api
§6.6, §6.7, §6.14, §18).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from core_test_phones import Change, MakePhone, Stored

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.container import Core
from powerauth_core.dmz.routes import door as door_router
from powerauth_core.dmz.routes import examples
from powerauth_core.routing import routers_of
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone

if TYPE_CHECKING:
    from dmz.conftest import Door


pytestmark = pytest.mark.dialects("sqlite", "postgresql")

P, PK, PB, PKB = (
    SignatureType.POSSESSION,
    SignatureType.POSSESSION_KNOWLEDGE,
    SignatureType.POSSESSION_BIOMETRY,
    SignatureType.POSSESSION_KNOWLEDGE_BIOMETRY,
)
VERIFIED = "Server successfully decrypted data and verified signature, request data: %s, user ID: alice"
CLOSED = {"authenticated": False, "envelope": None, "refusal": None}
RENAME = b'{"activationName":"Work phone"}'
versions = pytest.mark.parametrize("version", list(ProtocolVersion))


def named(phone: Phone, name: str) -> dict[str, Any]:
    return {"status": "OK", "responseObject": {"activationId": phone.activation_id, "activationName": name}}


# -- sign-then-encrypt -------------------------------------------------------------------------------------


@versions
@pytest.mark.parametrize("kind", [PK, PB])
async def test_renaming(
    door: Door, make_phone: MakePhone, stored: Stored, version: ProtocolVersion, kind: SignatureType
) -> None:
    phone = await make_phone(version=version)
    answer = await door.sign_inside(phone, "activation/rename", RENAME, kind)
    assert json.loads(answer["opened"]) == named(phone, "Work phone")
    row = await stored(phone)
    assert (row.activation_name, row.counter) == ("Work phone", 1)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"activationName":" "}', b'{"activationName":{}}', b"\xff"])
async def test_a_name_that_is_none_is_told_only_to_who_signed(
    door: Door, phone: Phone, stored: Stored, body: bytes
) -> None:
    answer = await door.sign_inside(phone, "activation/rename", body)
    assert (answer["authenticated"], answer["refusal"], answer["envelope"]) == (True, "REQUEST_INVALID", None)
    assert (await stored(phone)).activation_name == "Phone"


async def test_a_name_too_long_for_its_column_is_refused(door: Door, phone: Phone, stored: Stored) -> None:
    request, _ = await door.inside(
        phone, "activation/rename", json.dumps({"activationName": "x" * 256}).encode()
    )
    assert await door.api.error("sealed/activation/rename", **request) == "ERR0024"
    row = await stored(phone)
    assert (row.activation_name, row.counter) == ("Phone", 1)


@versions
@pytest.mark.parametrize(
    ("action", "plaintext", "expected"),
    [
        ("exchange/signed", b'{"data":"x"}', json.dumps({"data": VERIFIED % "x"}).encode()),
        ("exchange/signed", b"", json.dumps({"data": VERIFIED % "''"}).encode()),
        ("exchange/signed", b'{"data":7}', json.dumps({"data": VERIFIED % "''"}).encode()),
        ("exchange/string", b'"text \\u010d"', ('"' + VERIFIED % "text \u010d" + '"').encode()),
        ("exchange/raw", bytes(range(256)), bytes(range(256))),
        ("exchange/raw", b"x" * 7000, b"x" * 7000),
        (
            "exchange/generics",
            b'{"requestObject":{"data":"x"}}',
            b'{"status":"OK","responseObject":{"data":"x"}}',
        ),
    ],
)
async def test_echoes(
    door: Door,
    make_phone: MakePhone,
    version: ProtocolVersion,
    action: str,
    plaintext: bytes,
    expected: bytes,
) -> None:
    phone = await make_phone(version=version)
    opened = (await door.sign_inside(phone, action, plaintext, PKB))["opened"]
    if expected[:1] == b"{":
        assert json.loads(opened) == json.loads(expected)
    else:
        assert opened == expected


@pytest.mark.parametrize(
    ("action", "plaintext"),
    [
        ("exchange/signed", b"text"),
        ("exchange/signed", b"[]"),
        ("exchange/string", b"{}"),
        ("exchange/string", b""),
        ("exchange/string", b'"\\ud800"'),
        ("exchange/generics", b"{}"),
        ("exchange/generics", b'{"requestObject":NaN}'),
    ],
)
async def test_what_cannot_be_echoed_is_told_only_to_who_signed(
    door: Door, phone: Phone, action: str, plaintext: bytes
) -> None:
    answer = await door.sign_inside(phone, action, plaintext)
    assert (answer["authenticated"], answer["refusal"]) == (True, "REQUEST_INVALID")


SIGNED_INSIDE = ("activation/rename", "exchange/signed", "exchange/raw", "spawn")


@pytest.mark.parametrize("action", SIGNED_INSIDE)
async def test_wrong_signature_is_counted_and_the_envelope_is_used_up(
    door: Door, phone: Phone, stored: Stored, action: str
) -> None:
    request, _ = await door.inside(phone, action, RENAME)
    right = request["authorization"]["pa_signature"]
    request["authorization"]["pa_signature"] = b64encode(bytes(32))
    for _ in range(2):
        assert await door.api.ok(f"sealed/{action}", **request) == CLOSED
        assert (await stored(phone)).failed_attempts == 1
    request["authorization"]["pa_signature"] = right
    assert await door.api.ok(f"sealed/{action}", **request) == CLOSED
    row = await stored(phone)
    assert (row.failed_attempts, row.activation_name) == (1, "Phone")


@pytest.mark.parametrize("action", SIGNED_INSIDE)
@pytest.mark.parametrize(
    "flaw", ["mac", "body", "empty", "key", "application", "type", "version", "header", "blocked"]
)
async def test_what_does_not_open_is_no_attempt(
    door: Door, phone: Phone, stored: Stored, change: Change, flaw: str, action: str
) -> None:
    asked, sealed = await door.inside(phone, action, RENAME)
    broken = {
        "mac": sealed.fields | {"mac": b64encode(bytes(32))},
        "body": {},
        "key": sealed.fields | {"temporaryKeyId": "x"},
    }
    if flaw in broken:
        asked["body"] = b64encode(json.dumps(broken[flaw]).encode())
    if flaw == "empty":
        asked["body"] = ""
    if flaw == "application":
        asked["authorization"]["pa_application_key"] = b64encode(b"?" * 16)
    if flaw == "type":
        asked["authorization"]["pa_signature_type"] = "possession"
    if flaw == "version":
        asked["authorization"]["pa_version"] = "3.2"
    if flaw == "header":
        asked["authorization"] = None
    if flaw == "blocked":
        await change(phone, activation_status=ActivationStatus.BLOCKED)
    assert await door.api.ok(f"sealed/{action}", **asked) == CLOSED
    row = await stored(phone)
    assert (row.failed_attempts, row.counter) == (0, 0)


# -- without a signature -----------------------------------------------------------------------------------


@versions
@pytest.mark.parametrize("plaintext", [b"", b"{}"])
async def test_user_info(
    door: Door, make_phone: MakePhone, stored: Stored, version: ProtocolVersion, plaintext: bytes
) -> None:
    phone = await make_phone(version=version)
    request, sealed = await door.unsigned(phone, plaintext)
    answer = await door.api.ok("sealed/user-info", **request)
    assert sealed.open_json(answer["envelope"])["sub"] == "alice"
    assert set(answer) == {"authenticated", "envelope", "refusal"}
    assert (await stored(phone)).counter == 0


async def test_a_signature_header_supplies_the_context_and_is_not_spent(
    door: Door, phone: Phone, stored: Stored
) -> None:
    request, sealed = await door.inside(phone, "activation/rename", b"{}")
    other = door.encryption(phone) | {"activation_id": "00000000-0000-4000-8000-000000000000"}
    answer = await door.api.ok("sealed/user-info", **request, encryption=other)
    assert sealed.open_json(answer["envelope"])["sub"] == "alice"
    assert (await stored(phone)).counter == 0


@pytest.mark.parametrize("kind", ["NONE", "MINIMAL"])
async def test_without_a_provider_there_is_an_empty_object(
    core: Core, door: Door, phone: Phone, kind: Any
) -> None:
    core.settings.user_info_provider = kind
    request, sealed = await door.unsigned(phone)
    opened = sealed.open_json((await door.api.ok("sealed/user-info", **request))["envelope"])
    assert (opened == {}) == (kind == "NONE")


@versions
async def test_echo_of_an_activation(door: Door, make_phone: MakePhone, version: ProtocolVersion) -> None:
    phone = await make_phone(version=version)
    for plaintext, data in ((b'{"data":"x"}', "x"), (b"", "''"), (b"{}", "''")):
        request, sealed = await door.unsigned(phone, plaintext)
        opened = sealed.open_json((await door.api.ok("sealed/exchange/activation", **request))["envelope"])
        text = f"Server successfully decrypted signed data: {data}, scope: ACTIVATION_SCOPE"
        assert opened == {"data": text}


@pytest.mark.parametrize("action", ["user-info", "exchange/activation"])
async def test_an_envelope_that_nobody_can_open_is_refused(
    door: Door, phone: Phone, change: Change, action: str
) -> None:
    request, sealed = await door.unsigned(phone)
    body = json.dumps(sealed.fields | {"mac": b64encode(bytes(32))}).encode()
    for broken, code in (
        ({"body": b64encode(body)}, "ERR0018"),
        ({"body": b64encode(b"{}")}, "ERR0024"),
        ({"encryption": None}, "ERR0024"),
        ({"encryption": request["encryption"] | {"activation_id": None}}, "ERR0024"),
        ({"encryption": request["encryption"] | {"application_key": b64encode(b"?" * 16)}}, "ERR0015"),
    ):
        assert await door.api.error(f"sealed/{action}", **(request | broken)) == code
    unreadable, _ = await door.unsigned(phone, b"[]")
    assert await door.api.error(f"sealed/{action}", **unreadable) == "ERR0024"
    await door.api.ok(f"sealed/{action}", **request)
    assert await door.api.error(f"sealed/{action}", **request) == "ERR0024"
    await change(phone, activation_status=ActivationStatus.BLOCKED)
    fresh, _ = await door.unsigned(phone)
    assert await door.api.error(f"sealed/{action}", **fresh) == "ERR0008"


# -- with a token ------------------------------------------------------------------------------------------


@versions
async def test_detail(door: Door, make_phone: MakePhone, version: ProtocolVersion) -> None:
    phone = await make_phone(version=version)
    for plaintext in (b"{}", b"", b"anything"):
        request, sealed = await door.unsigned(phone, plaintext, await door.token(phone, PB))
        answer = await door.api.ok("sealed/activation/detail", **request)
        assert sealed.open_json(answer["envelope"]) == named(phone, "Phone")


async def test_detail_needs_a_token_of_two_factors_that_was_not_used(door: Door, phone: Phone) -> None:
    weak, _ = await door.unsigned(phone, token=await door.token(phone, P))
    good, _ = await door.unsigned(phone, token=await door.token(phone, PK))
    without = good | {"token": None}
    for request in (weak, without):
        assert await door.api.ok("sealed/activation/detail", **request) == CLOSED
    assert (await door.api.ok("sealed/activation/detail", **good))["authenticated"]
    fresh, _ = await door.unsigned(phone)
    assert await door.api.ok("sealed/activation/detail", **(fresh | {"token": good["token"]})) == CLOSED


async def test_detail_is_for_the_tokens_activation(door: Door, phone: Phone, make_phone: MakePhone) -> None:
    token, mallory = await door.token(phone, PK), await make_phone("mallory")
    request, _ = await door.unsigned(mallory, token=token)
    assert await door.api.ok("sealed/activation/detail", **request) == CLOSED


async def test_token_of_the_detail_is_judged_first_and_spent(door: Door, phone: Phone) -> None:
    request, _ = await door.unsigned(phone, token=await door.token(phone, PK))
    broken = request | {"encryption": None, "body": b64encode(b"text")}
    assert await door.api.error("sealed/activation/detail", **broken) == "ERR0024"
    assert await door.api.ok("sealed/activation/detail", **request) == CLOSED


# -- what is served ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("environment", ["production", "development", "test"])
def test_example_resources_are_served_outside_production_only(environment: str) -> None:
    assert (examples in routers_of(environment)) == (environment != "production")
    assert not [route for route in door_router.routes if "exchange" in str(route)]
