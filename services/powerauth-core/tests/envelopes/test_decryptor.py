"""Envelope keys for an edge: generic envelopes only (spec/core-api.md §12, spec/protocol-v3.md §5.10)."""

from __future__ import annotations

from typing import Any

import pytest
from core_test_api import Api, NewApplication
from core_test_phones import Activate
from core_test_rows import rewrite

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.container import Core
from powerauth_core.envelopes import handout
from powerauth_core.kernel.errors import DecryptionFailed, InvalidRequest, TemporaryKeyMissing
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import DecryptionError
from powerauth_protocol.common.scope import Party, Scope
from powerauth_protocol.generation import generation_of
from powerauth_protocol.v3.ecies import EciesContext, EciesRequest, ServerEnvelope, SharedInfo1
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone, Sealed
from servicekit import clock

SCOPES = (Scope.APPLICATION, Scope.ACTIVATION)
ACTIVE = ActivationStatus.ACTIVE


async def _sealed(api: Api, device: Phone, scope: Scope, sh1: SharedInfo1 | None = None) -> Any:
    await device.prepare_scope(api.call, scope)
    return device.seal(sh1 or SharedInfo1.generic(scope), b'{"a":1}', scope)


def _request(device: Phone, scope: Scope, sealed: Sealed) -> dict[str, Any]:
    fields = {name: value for name, value in sealed.fields.items() if name not in ("encryptedData", "mac")}
    scoped = {"activationId": device.activation_id} if scope is Scope.ACTIVATION else {}
    return {"applicationKey": device.app.key, "protocolVersion": device.version.value} | fields | scoped


def _edge(
    device: Phone, scope: Scope, sealed: Sealed, answer: dict[str, Any]
) -> tuple[ServerEnvelope, EciesRequest]:
    request = EciesRequest.from_json_dict(sealed.fields, device.version)
    context = EciesContext(
        version=device.version,
        scope=scope,
        sh1=SharedInfo1.generic(scope),
        application_key=device.app.key,
        activation_id=device.activation_id if scope is Scope.ACTIVATION else None,
    )
    key, base = b64decode(answer["secretKey"], 48), b64decode(answer["sharedInfo2"], 32)
    return ServerEnvelope.from_secret(context, key, base, request), request


@pytest.mark.parametrize("version", ProtocolVersion)
async def test_the_edge_opens_and_answers_a_generic_envelope(
    api: Api, activate: Activate, version: ProtocolVersion
) -> None:
    device = await activate(ACTIVE, version)
    for scope in SCOPES:
        await _check_edge(api, device, scope)


async def _check_edge(api: Api, device: Phone, scope: Scope) -> None:
    sealed = await _sealed(api, device, scope)
    request = _request(device, scope, sealed)
    envelope, encrypted = _edge(device, scope, sealed, await api.ok("ecies/decryptor", **request))
    assert envelope.decrypt(encrypted) == b'{"a":1}'
    assert sealed.open(envelope.encrypt(b"answer").to_json_dict()) == b"answer"
    if device.version.facts.timestamp:
        assert await api.error("ecies/decryptor", **request) == "ERR0024"


@pytest.mark.parametrize(
    "sh1", [SharedInfo1.CREATE_TOKEN, SharedInfo1.VAULT_UNLOCK, SharedInfo1.ACTIVATION_LAYER_2]
)
async def test_the_handed_out_key_does_not_open_what_is_not_generic(
    api: Api, activate: Activate, sh1: SharedInfo1
) -> None:
    device = await activate()
    scope = Scope.APPLICATION if sh1 is SharedInfo1.ACTIVATION_LAYER_2 else Scope.ACTIVATION
    sealed = await _sealed(api, device, scope, sh1)
    answer = await api.ok("ecies/decryptor", **_request(device, scope, sealed))
    envelope, encrypted = _edge(device, scope, sealed, answer)
    with pytest.raises(DecryptionError):
        envelope.decrypt(encrypted)


async def test_state_and_application_are_checked_before_the_value_is_remembered(
    api: Api, core: Core, activate: Activate, new_application: NewApplication
) -> None:
    device, other = await activate(), await new_application("other")
    request = _request(device, Scope.ACTIVATION, await _sealed(api, device, Scope.ACTIVATION))
    refused: list[tuple[dict[str, Any], str]] = [
        ({"activationId": "unknown"}, "ERR0009"),
        ({"applicationKey": "unknown"}, "ERR0015"),
        ({"applicationKey": other.application_key}, "ERR0015"),
        ({"applicationIds": ["other"]}, "ERR0009"),
        ({"protocolVersion": "4.0"}, "ERR0018"),
        ({"protocolVersion": "3.1"}, "ERR0018"),
        ({"protocolVersion": None}, "ERR0024"),
        ({"applicationKey": None}, "ERR0024"),
        ({"ephemeralPublicKey": None}, "ERR0024"),
        ({"ephemeralPublicKey": "%"}, "ERR0024"),
        ({"ephemeralPublicKey": b64encode(b"\x02" + b"\xff" * 32)}, "ERR0018"),
        ({"nonce": b64encode(bytes(15))}, "ERR0018"),
        ({"nonce": None}, "ERR0018"),
        ({"temporaryKeyId": "unknown"}, "ERR0045"),
        ({"timestamp": clock.now_ms() - 61_000}, "ERR0024"),
        ({"timestamp": clock.now_ms() + 61_000}, "ERR0024"),
        ({"timestamp": -(2**63)}, "ERR0024"),
    ]
    for change, code in refused:
        assert await api.error("ecies/decryptor", **(request | change)) == code, change
    for status in (ActivationStatus.PENDING_COMMIT, ActivationStatus.BLOCKED, ActivationStatus.REMOVED):
        await _set(core, activation_status=status)
        assert await api.error("ecies/decryptor", **request) == "ERR0008"
    await _set(core, activation_status=ACTIVE, protocol="fido2")
    assert await api.error("ecies/decryptor", **request) == "ERR0024"
    await _set(core, protocol="powerauth")
    await api.ok("ecies/decryptor", **request)


@pytest.mark.parametrize("version", ProtocolVersion)
async def test_keys_are_handed_out_once_and_finished_after_the_mac_was_verified(
    core: Core, api: Api, activate: Activate, version: ProtocolVersion
) -> None:
    device = await activate(ACTIVE, version)
    sealed = await _sealed(api, device, Scope.APPLICATION)
    envelope = generation_of(version).envelopes.read(sealed.fields)
    opened = envelope.open_at_edge(Party(device.app.key), await _hand_out(core, device, sealed.fields))
    assert opened.plaintext == b'{"a":1}'
    assert sealed.open(opened.seal(b"answer")) == b"answer"
    with pytest.raises(InvalidRequest):
        await _hand_out(core, device, sealed.fields)
    if version is ProtocolVersion.V3_1:
        # Its nonce stands outside the MAC.
        with pytest.raises(InvalidRequest):
            await _hand_out(core, device, sealed.fields | {"nonce": b64encode(bytes(16))})


@pytest.mark.parametrize("version", ProtocolVersion)
async def test_no_key_is_handed_out_for_a_wrong_mac_another_purpose_or_an_activation(
    core: Core, api: Api, activate: Activate, version: ProtocolVersion
) -> None:
    device = await activate(ACTIVE, version)
    good = await _sealed(api, device, Scope.APPLICATION)
    special = await _sealed(api, device, Scope.APPLICATION, SharedInfo1.ACTIVATION_LAYER_2)
    personal = await _sealed(api, device, Scope.ACTIVATION)
    tampered = good.fields | {"encryptedData": special.fields["encryptedData"]}
    for fields in (tampered, special.fields, personal.fields):
        with pytest.raises((DecryptionFailed, TemporaryKeyMissing)):
            await _hand_out(core, device, fields)
    # The attempts above did not use the real one up.
    await _hand_out(core, device, good.fields)


async def _hand_out(core: Core, device: Phone, members: dict[str, Any]) -> dict[str, Any]:
    envelope = generation_of(device.version).envelopes.read(members)
    return await handout.hand_out_keys(core, envelope=envelope, application_key=device.app.key)


async def _set(core: Core, **values: Any) -> None:
    await rewrite(core, **values)
