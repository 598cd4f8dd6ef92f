"""Key exchange (spec/enrollment-api.md §6.3): the core opens both layers, an older one the inner."""

from __future__ import annotations

import json
from typing import Any

import pytest
from enrollment_fakes import (
    ACTIVATION_INVALID,
    REMOTE_FAILED,
    Answer,
    FakeCore,
    Phone,
    PublicClient,
    Raw,
    Refusal,
)

from powerauth_protocol.v3.ecies import Scope

PATH = "/pa/v3/activation/create"
VERSIONS = ["3.0", "3.1", "3.2", "3.3"]
AT_ONCE = "sealed/activation/create"
IN_TWO_CALLS = [AT_ONCE, "envelope/keys", "activation/create"]
SEALED = {"encryptedData": "SU5ORVI=", "mac": "TUFD", "nonce": "Tk9OQ0U=", "timestamp": 5}


def layer1(phone: Phone, **changed: Any) -> dict[str, Any]:
    inner = json.loads(phone.closed("/pa/activation", b'{"devicePublicKey":"inner"}', Scope.APPLICATION))
    return {
        "type": "CODE",
        "identityAttributes": {"code": "VVVVV-VVVVV-VVVVV-VTFVA"},
        "customAttributes": {"a": 1},
        "activationData": inner,
    } | changed


async def exchange(client: PublicClient, phone: Phone, plaintext: bytes) -> tuple[Answer, Any]:
    """Post a sealed outer layer; the opened answer when there is one."""
    sealed = phone.generic(plaintext)
    answer = await client.post(PATH, sealed.fields, phone.encryption(Scope.APPLICATION))
    opened = sealed.open_json(answer.json) if answer.status == 200 else None
    return answer, opened


@pytest.fixture
def created(core: FakeCore) -> dict[str, Any]:
    result = {
        "activationData": SEALED,
        "customAttributes": {"b": 2},
        "userInfo": None,
        "activationId": "id",
        "applicationId": "app",
        "activationStatus": "PENDING_COMMIT",
    }
    core.script["activation/create"] = result
    return result


@pytest.mark.parametrize("version", VERSIONS)
async def test_key_exchange(client: PublicClient, created: dict[str, Any], version: str) -> None:
    phone = Phone(client.core, version)
    sent = layer1(phone)
    answer, opened = await exchange(client, phone, json.dumps(sent).encode())
    assert answer.status == 200
    assert opened == {"activationData": SEALED, "customAttributes": {"b": 2}, "userInfo": None}
    assert client.core.paths == IN_TWO_CALLS
    assert client.core.last("activation/create") == sent | {
        "applicationKey": phone.app.key,
        "protocolVersion": version,
    }


async def test_inner_layer_goes_to_the_core_untouched_and_its_keys_are_never_asked_for(
    client: PublicClient, phone: Phone, created: dict[str, Any]
) -> None:
    sent = layer1(phone)
    await exchange(client, phone, json.dumps(sent).encode())
    asked = client.core.last("envelope/keys")
    assert not {"scope", "activationId", "sharedInfo1"} & set(asked)
    assert asked["ephemeralPublicKey"] != sent["activationData"]["ephemeralPublicKey"]
    assert "sharedInfo1" not in asked
    assert client.core.last("activation/create")["activationData"] == sent["activationData"]
    assert client.core.paths.count("envelope/keys") == 1


async def test_missing_custom_attributes_are_an_empty_object(
    client: PublicClient, phone: Phone, created: dict[str, Any]
) -> None:
    created["userInfo"] = {"sub": "alice"}
    _, opened = await exchange(client, phone, json.dumps(layer1(phone, customAttributes=None)).encode())
    assert client.core.last("activation/create")["customAttributes"] == {}
    assert opened["userInfo"] == {"sub": "alice"}


@pytest.mark.usefixtures("created")
@pytest.mark.parametrize("activation_type", ["CODE", "CUSTOM", "DIRECT", "RECOVERY"])
async def test_types(client: PublicClient, phone: Phone, activation_type: str) -> None:
    answer, _ = await exchange(client, phone, json.dumps(layer1(phone, type=activation_type)).encode())
    assert answer.status == 200
    assert client.core.last("activation/create")["type"] == activation_type


@pytest.mark.parametrize(
    "changed",
    [
        {"type": None},
        {"type": "code"},
        {"type": "OTHER"},
        {"type": []},
        {"identityAttributes": None},
        {"identityAttributes": {}},
        {"identityAttributes": []},
        {"customAttributes": []},
        {"activationData": None},
        {"activationData": "text"},
    ],
)
async def test_unusable_outer_layer(client: PublicClient, phone: Phone, changed: dict[str, Any]) -> None:
    answer, _ = await exchange(client, phone, json.dumps(layer1(phone, **changed)).encode())
    assert answer.error == ACTIVATION_INVALID
    assert client.core.paths == IN_TWO_CALLS[:2]


@pytest.mark.parametrize("inner", [{}, {"mac": None}, {"unknown": [1]}])
async def test_the_inner_envelope_is_the_cores_to_judge(
    client: PublicClient, phone: Phone, inner: dict[str, Any]
) -> None:
    client.core.script["activation/create"] = Refusal("ERR0024")
    answer, _ = await exchange(client, phone, json.dumps(layer1(phone, activationData=inner)).encode())
    assert answer.error == ACTIVATION_INVALID
    assert client.core.last("activation/create")["activationData"] == inner


@pytest.mark.parametrize("plaintext", [b"", b"{}", b"text", b"[]"])
async def test_plaintext_that_is_no_outer_layer(client: PublicClient, phone: Phone, plaintext: bytes) -> None:
    answer, _ = await exchange(client, phone, plaintext)
    assert answer.error == ACTIVATION_INVALID


@pytest.mark.parametrize("code", ["ERR0009", "ERR0015", "ERR0024", "ERR0031", "ERR0018"])
async def test_every_refusal_of_a_key_exchange_looks_alike(
    client: PublicClient, phone: Phone, code: str
) -> None:
    client.core.script["activation/create"] = Refusal(code)
    answer, _ = await exchange(client, phone, json.dumps(layer1(phone)).encode())
    assert answer.error == ACTIVATION_INVALID


async def test_wrong_puk_tells_which_one_is_due(client: PublicClient, phone: Phone) -> None:
    client.core.script["activation/create"] = Refusal("ERR_RECOVERY", extra={"currentRecoveryPukIndex": 2})
    answer, _ = await exchange(client, phone, json.dumps(layer1(phone, type="RECOVERY")).encode())
    assert (answer.status, answer.json) == (
        400,
        {
            "status": "ERROR",
            "responseObject": {
                "code": "INVALID_RECOVERY_CODE",
                "message": "POWER_AUTH_RECOVERY_INVALID",
                "currentRecoveryPukIndex": 2,
            },
        },
    )


async def test_index_of_an_unreadable_request_is_not_told(client: PublicClient, phone: Phone) -> None:
    client.core.script["activation/create"] = Refusal(
        "ERROR_HTTP_REQUEST", extra={"currentRecoveryPukIndex": 0}
    )
    answer, _ = await exchange(client, phone, json.dumps(layer1(phone, type="RECOVERY")).encode())
    assert answer.error == ACTIVATION_INVALID


async def test_header_missing_malformed_or_of_another_scope(client: PublicClient, phone: Phone) -> None:
    body = phone.generic(json.dumps(layer1(phone)).encode()).fields
    headers: list[dict[str, str]] = [
        {},
        {"X-PowerAuth-Encryption": ""},
        {"X-PowerAuth-Encryption": "PowerAuth"},
        {"X-PowerAuth-Encryption": 'PowerAuth version="3.3"'},
        {"X-PowerAuth-Encryption": f'PowerAuth version="2.1", application_key="{phone.app.key}"'},
        {"X-PowerAuth-Encryption": f'PowerAuth version="4.0", application_key="{phone.app.key}"'},
        phone.encryption(Scope.ACTIVATION),
        phone.authorization(),
    ]
    for header in headers:
        assert (await client.post(PATH, body, header)).error == ACTIVATION_INVALID
    assert client.core.calls == []


async def test_a_signature_header_does_not_disturb_application_scope(
    client: PublicClient, phone: Phone, created: dict[str, Any]
) -> None:
    body = phone.generic(json.dumps(layer1(phone)).encode()).fields
    headers = phone.encryption(Scope.APPLICATION) | phone.authorization()
    assert (await client.post(PATH, body, headers)).status == 200
    assert "activationId" not in client.core.last("envelope/keys")


async def test_broken_outer_envelope(client: PublicClient, phone: Phone) -> None:
    header = phone.encryption(Scope.APPLICATION)
    good = phone.generic(json.dumps(layer1(phone)).encode()).fields
    for body in (b"", b"text", b"[]", b"{}", good | {"unknown": 1}, good | {"nonce": None}):
        assert (await client.post(PATH, body, header)).error == ACTIVATION_INVALID
    assert client.core.paths == [AT_ONCE]
    for body in (good | {"mac": "A" * 43 + "="}, good | {"timestamp": 1}):
        assert (await client.post(PATH, body, header)).error == ACTIVATION_INVALID
    assert client.core.paths == [AT_ONCE, "envelope/keys", "envelope/keys"]


@pytest.mark.parametrize("path", IN_TWO_CALLS)
async def test_outage(client: PublicClient, phone: Phone, path: str) -> None:
    client.core.script[path] = Raw(500)
    answer, _ = await exchange(client, phone, json.dumps(layer1(phone)).encode())
    assert answer.error == REMOTE_FAILED


# -- a core that opens both layers -----------------------------------------------------------------------


@pytest.fixture
def both_layers(core: FakeCore) -> None:
    core.script[AT_ONCE] = core.sealed_creation
    core.creation = {"activationData": SEALED, "customAttributes": {"b": 2}, "userInfo": None}


@pytest.mark.usefixtures("both_layers")
@pytest.mark.parametrize("version", VERSIONS)
async def test_both_layers_pass_closed(client: PublicClient, version: str) -> None:
    phone = Phone(client.core, version)
    sent = layer1(phone)
    answer, opened = await exchange(client, phone, json.dumps(sent).encode())
    assert (answer.status, opened) == (200, client.core.creation)
    assert client.core.paths == [AT_ONCE]
    assert client.core.layer1 == sent
    asked = client.core.last(AT_ONCE)
    assert asked.keys() == {"applicationKey", "protocolVersion", "body"}
    assert (asked["applicationKey"], asked["protocolVersion"]) == (phone.app.key, version)


@pytest.mark.usefixtures("both_layers")
async def test_a_refusal_of_both_layers_is_worded_as_ever(client: PublicClient, phone: Phone) -> None:
    client.core.creation = Refusal("ERR0024")
    answer, _ = await exchange(client, phone, json.dumps(layer1(phone)).encode())
    assert answer.error == ACTIVATION_INVALID
    client.core.creation = Refusal("ERR_RECOVERY", extra={"currentRecoveryPukIndex": 2})
    answer, _ = await exchange(client, phone, json.dumps(layer1(phone, type="RECOVERY")).encode())
    assert answer.json["responseObject"]["currentRecoveryPukIndex"] == 2
    assert client.core.paths == [AT_ONCE] * 2


async def test_an_answer_without_envelope_is_none(client: PublicClient, phone: Phone) -> None:
    client.core.script[AT_ONCE] = {"envelope": "text"}
    answer, _ = await exchange(client, phone, json.dumps(layer1(phone)).encode())
    assert answer.error == REMOTE_FAILED


@pytest.mark.usefixtures("created")
async def test_a_core_that_does_not_know_the_call_is_not_asked_again_at_once(
    client: PublicClient, phone: Phone
) -> None:
    for _ in range(2):
        answer, _ = await exchange(client, phone, json.dumps(layer1(phone)).encode())
        assert answer.status == 200
    assert client.core.paths == [*IN_TWO_CALLS, *IN_TWO_CALLS[1:]]
