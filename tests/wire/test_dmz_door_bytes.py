"""Bytes on the wire of the dmz door, both ways: those that a release before this one wrote and read."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from enrollment.core_client import CoreDoor
from powerauth_contracts.dmz import table
from powerauth_contracts.dmz.headers import ReceivedSignature, members_of
from powerauth_contracts.dmz.purposes import PK, P
from powerauth_contracts.wire import JsonReader, ObjectRequest, response_reader
from powerauth_core.kernel.call_routes import answer
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3.http_headers import AUTHORIZATION_FIELDS, EncryptionHeader, TokenHeader
from servicekit.calls.client import RawAnswer

RECORDED = json.loads((Path(__file__).parent / "recorded" / "dmz_door.json").read_text())
CALLS = {call.path.removeprefix("/dmz/v1/"): call for call in (*table.CALLS, *table.EXAMPLES)}

ID = "57ad0cd4-0ee6-4a39-9a55-3a0a4d3fd0b3"
B16, B32 = "A" * 22 + "==", "A" * 43 + "="
SIGNATURE = ReceivedSignature.received(
    dict(
        zip(
            AUTHORIZATION_FIELDS,
            (ID, B16, B16, "POSSESSION_knowledge", "12345678-87654321", "3.3"),
            strict=True,
        )
    ),
    "192.0.2.0/24",
)
TOKEN = TokenHeader(ID, B32, B16, "1700000000000", "3.2")
ENCRYPTION = EncryptionHeader(B16, ID, "3.1")
ENVELOPE = {
    "temporaryKeyId": ID,
    "ephemeralPublicKey": B32,
    "encryptedData": B32,
    "mac": B32,
    "nonce": B16,
    "timestamp": 1700000000000,
}
BODY = '{"requestObject":{"id":"é"}}'.encode()
APPLICATION = {"applicationKey": B16, "protocolVersion": "3.3"}

Ask = Callable[[CoreDoor], Awaitable[object]]
SEALED: dict[Any, list[TokenHeader | EncryptionHeader]] = {
    table.USER_INFO: [ENCRYPTION],
    table.UPGRADE_START: [ENCRYPTION],
    table.EXCHANGE_ACTIVATION: [ENCRYPTION],
    table.ACTIVATION_DETAIL: [TOKEN, ENCRYPTION],
}


def _of(method: Callable[..., Awaitable[object]], *arguments: Any, **members: object) -> Ask:
    return lambda door: method(door, *arguments, **members)


def _passkeys(seen: dict[str, str]) -> dict[Any, dict[str, Any]]:
    named = {"credentialId": B32, "type": "public-key", "authenticatorAttachment": "platform"}
    made = {"clientDataJSON": B32, "attestationObject": B32, "transports": ["internal"]}
    signed = {"clientDataJSON": B32, "authenticatorData": B32, "signature": B32, "userHandle": B16}
    own = {"access_token": "a.b.c", **seen}
    return {
        table.PASSKEY_REGISTRATION_OPTIONS: {
            "authorization": members_of(SIGNATURE),
            "body": b64encode(BODY),
            **own,
        },
        table.PASSKEY_REGISTRATION: {
            "registrationId": "A" * 43,
            "name": "é",
            "credential": named | {"response": made},
            **seen,
        },
        table.PASSKEY_ASSERTION_OPTIONS: {"applicationId": "app", "userId": "u", "timeout": 60, **own},
        table.PASSKEY_ASSERTION: {"sessionId": "A" * 43, "credential": named | {"response": signed}, **seen},
        table.PASSKEY_LIST: own,
        table.PASSKEY_RENAME: {"activationId": ID, "name": "é", **own},
        table.PASSKEY_REMOVE: {"activationId": ID, **own},
    }


def _asked() -> dict[Any, Ask]:
    layer1 = {
        "type": "CODE",
        "identityAttributes": {"code": "é-1"},
        "customAttributes": {"n": {"a": [1, None]}},
        "activationData": ENVELOPE,
    }
    seen = {"client_address": "192.0.2.1", "user_agent": "app/1"}
    unseen = dict.fromkeys(seen)
    plain: dict[Any, dict[str, Any]] = {
        table.KEYSTORE_CREATE: {"jwt": "a.b.c"},
        table.ENVELOPE_KEYS: APPLICATION | ENVELOPE,
        table.ACTIVATION_CREATE: APPLICATION | layer1,
        table.ACTIVATION_CREATE_SEALED: APPLICATION | {"body": b64encode(BODY)},
        table.ACTIVATION_STATUS: {"activationId": ID, "challenge": B16},
        table.APPLICATION_PUBLIC: {"applicationKey": B16, "providerId": "idp"},
        table.TEXTS: {"operationType": "login", "etag": "e1"},
        **_passkeys(seen),
        **{
            call: {"form": "token=é%2B", "authorization": "Basic eA=="}
            for call in (table.JWT_TOKEN, table.JWT_INTROSPECT, table.JWT_REVOKE)
        },
        table.JWT_USER_INFO: {"authorization": "Bearer a.b.c"},
        table.JWT_DISCOVERY: {"applicationId": "bank"},
        table.JWKS: {"etag": "e1"},
    }
    tokens: dict[Any, dict[str, Any]] = {
        table.OPERATION_LIST: {},
        table.OPERATION_DETAIL: {"id": "op-1"},
        table.OPERATION_CLAIM: {"id": "op-1"},
        table.WHO_AM_I: {"audience": "inbox/count"},
    }
    asked: dict[Any, Ask] = {
        **{call: _of(CoreDoor.call, call, **request) for call, request in plain.items()},
        **{call: _of(CoreDoor.token, call, TOKEN, **request) for call, request in tokens.items()},
        **{
            call: _of(CoreDoor.sealed, call, BODY, SEALED.get(call, [SIGNATURE]))
            for call in CALLS.values()
            if "/sealed/" in call.path and call is not table.ACTIVATION_CREATE_SEALED
        },
    }
    for call in (table.OPERATION_HISTORY, table.TOKEN_REMOVE, table.UPGRADE_COMMIT):
        asked[call] = _of(CoreDoor.signed, call, SIGNATURE, BODY)
    asked[table.ACTIVATION_REMOVE] = lambda door: door.signed(table.ACTIVATION_REMOVE, SIGNATURE, b"")
    asked[table.VERIFY] = lambda door: door.is_signed(SIGNATURE, "POST", "/login", frozenset({PK, P}), BODY)
    asked[table.OPERATION_APPROVE] = lambda door: door.decide(
        table.OPERATION_APPROVE, SIGNATURE, BODY, **seen
    )
    asked[table.OPERATION_REJECT] = lambda door: door.decide(
        table.OPERATION_REJECT, SIGNATURE, BODY, **unseen
    )
    return asked


ASKED = _asked()


class Posted(Exception):
    """What a client was to send."""


class Client:
    streams = False

    async def post_json(self, path: str, body: bytes) -> RawAnswer:
        raise Posted(path, body)


def test_every_call_is_recorded() -> None:
    assert set(RECORDED) == set(CALLS)


@pytest.mark.parametrize("name", RECORDED)
async def test_a_request_is_written_and_read_as_before(name: str) -> None:
    call = CALLS[name]
    with pytest.raises(Posted) as posted:
        await ASKED[call](CoreDoor(Client()))  # type: ignore[arg-type]
    path, body = posted.value.args
    assert (path, body.decode()) == (call.path, RECORDED[name]["request"])
    JsonReader(ObjectRequest[call.request])(body)  # type: ignore[name-defined]


@pytest.mark.parametrize("name", RECORDED)
def test_an_answer_is_read_and_written_as_before(name: str) -> None:
    call = CALLS[name]
    read = response_reader(call.answer)  # type: ignore[arg-type]
    for recorded in RECORDED[name]["answers"]:
        assert bytes(answer(read(recorded.encode())).body).decode() == recorded
