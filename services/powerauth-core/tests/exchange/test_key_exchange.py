"""Key exchange: what is refused, and what stays then (spec/core-api.md §7.2, spec/protocol-v3.md §4.3)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from core_test_api import Api, NewApplication, TestApplication
from core_test_phones import Activate, InitActivation, MakeDevice
from core_test_rows import execute
from sqlalchemy import select, update
from sqlalchemy import text as sql

from powerauth_contracts import moments
from powerauth_core.activations.keys import read_server_key
from powerauth_core.activations.models import Activation
from powerauth_core.container import Core
from powerauth_core.kernel.errors import InvalidKeyFormat
from powerauth_core.temporary_keys.models import TemporaryKey
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3 import activation_code
from powerauth_protocol.v3.closed_envelope import ClosedEnvelope, OpenedEnvelope
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.keys import compress_public_key, export_public_key, generate_key_pair
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone, Sealed
from servicekit import clock


def _layer2(**members: Any) -> bytes:
    offer = {"devicePublicKey": b64encode(compress_public_key(generate_key_pair().public))} | members
    return json.dumps(offer).encode()


async def _prepare(api: Api, device: Phone, sealed: Sealed, code: str, **more: Any) -> str:
    error: str = await api.error(
        "activation/prepare",
        **({"activationCode": code, "applicationKey": device.app.key} | device.env(sealed) | more),
    )
    return error


async def _row(core: Core, activation_id: str) -> Activation:
    async with core.database.read() as session:
        row = await session.get(Activation, activation_id)
    assert row is not None
    return row


BAD_OFFERS: list[tuple[bytes, str]] = [
    (b"", "ERR0011"),
    (b"not json", "ERR0011"),
    (b"[]", "ERR0011"),
    (b'{"devicePublicKey": 7}', "ERR0011"),
    (_layer2(activationName=["x"]), "ERR0011"),
    (_layer2(activationName="a\x00b"), "ERR0011"),
    (b"{}", "ERR0024"),
    (b'{"devicePublicKey": " "}', "ERR0024"),
    (_layer2(activationName="x" * 256), "ERR0024"),
    (_layer2(extras="x" * 4001), "ERR0024"),
    (b'{"devicePublicKey": "%%%"}', "ERR0010"),
    (_layer2(devicePublicKey=b64encode(b"\x02" + b"\xff" * 32)), "ERR0010"),
    (_layer2(devicePublicKey=b64encode(b"\x04" + b"\x01" * 64)), "ERR0010"),
    (_layer2(devicePublicKey=b64encode(b"\x02" * 34)), "ERR0010"),
]


async def test_a_bad_offer_changes_nothing_not_even_the_otp_counter(
    api: Api, core: Core, init: InitActivation, make_device: MakeDevice
) -> None:
    started = await init(commitPhase="ON_KEY_EXCHANGE", activationOtp="1234")
    await execute(core, update(Activation).values(failed_attempts=2))
    device: Phone = make_device()
    for plaintext, code in BAD_OFFERS:
        sealed = await device.layer2(api.call, plaintext=plaintext)
        assert await _prepare(api, device, sealed, started["activationCode"]) == code, plaintext
    row = await _row(core, started["activationId"])
    assert (row.activation_status.value, row.failed_attempts) == ("CREATED", 2)
    assert row.device_public_key_base64 is None


async def test_the_device_key_is_stored_uncompressed_and_texts_normalised(
    core: Core, api: Api, init: InitActivation, make_device: MakeDevice
) -> None:
    started, device = await init(), make_device()
    sealed = await device.layer2(
        api.call,
        plaintext=_layer2(devicePublicKey=b64encode(compress_public_key(device.pair.public)), unknown=1),
    )
    answer = await api.call(
        "activation/prepare",
        {"activationCode": started["activationCode"], "applicationKey": device.app.key} | device.env(sealed),
    )
    device.accept(sealed, answer)
    row = await _row(core, started["activationId"])
    assert row.device_public_key_base64 == b64encode(export_public_key(device.pair.public))
    assert (row.platform, row.activation_name, row.version) == ("unknown", None, 3)
    assert (row.counter, row.ctr_data) == (0, b64encode(device.ctr_data))


async def test_the_server_key_is_encrypted_for_its_row_at_rest(core: Core, activate: Activate) -> None:
    first, second = await activate(), await activate()
    rows = [await _row(core, device.activation_id) for device in (first, second)]
    assert [row.server_private_key_encryption for row in rows] == [1, 1]
    await execute(
        core,
        sql("UPDATE pa_activation SET server_private_key_base64 = :other WHERE activation_id = :id"),
        {"other": rows[1].server_private_key_base64, "id": first.activation_id},
    )
    moved = await _row(core, first.activation_id)
    assert _scalar(core, rows[1]) is not None
    assert _scalar(core, moved) != _scalar(core, rows[1])


def _scalar(core: Core, row: Activation) -> int | None:
    """The server private key as a number; None if the record does not decrypt."""
    try:
        return read_server_key(core.cipher, row).private_numbers().private_value
    except InvalidKeyFormat:
        return None


async def test_unknown_and_malformed_codes_are_answered_alike(
    api: Api, init: InitActivation, make_device: MakeDevice
) -> None:
    await init()
    device = make_device()
    for code in ("AAAAA-AAAAA-AAAAA-AAAAA", "AAAAA-AAAAA-AAAAA-AAAAB", "nonsense", "x" * 300):
        assert await _prepare(api, device, await device.layer2(api.call), code) == "ERR0009", code
    assert await _prepare(api, device, await device.layer2(api.call), "") == "ERR0024"


async def test_a_code_works_once_and_only_in_its_application(
    api: Api, init: InitActivation, make_device: MakeDevice, new_application: NewApplication
) -> None:
    started = await init()
    other = await new_application("other")
    stranger = Phone(other.app)
    sealed = await stranger.layer2(api.call)
    assert await _prepare(api, stranger, sealed, started["activationCode"]) == "ERR0009"
    await make_device().join(api.call, started["activationCode"])
    late = make_device()
    assert await _prepare(api, late, await late.layer2(api.call), started["activationCode"]) == "ERR0009"


async def test_an_activation_of_another_protocol_does_not_exchange_keys(
    api: Api, init: InitActivation, make_device: MakeDevice
) -> None:
    started, device = await init(protocol="fido2"), make_device()
    assert await _prepare(api, device, await device.layer2(api.call), started["activationCode"]) == "ERR0009"


@pytest.mark.parametrize("version", ProtocolVersion)
async def test_tampering_with_any_part_is_a_decryption_failure(
    api: Api, init: InitActivation, make_device: MakeDevice, version: ProtocolVersion
) -> None:
    started, device = await init(), make_device(version)
    sealed = await device.layer2(api.call)
    other = await device.layer2(api.call)
    for name in ("ephemeralPublicKey", "encryptedData", "mac", "nonce"):
        # 3.0 and 3.1 do not cover the nonce; there it changes the plaintext, which then is no layer 2.
        if name in sealed.fields and (name != "nonce" or version.facts.associated_data):
            changed = {name: other.fields[name]}
            assert await _prepare(api, device, sealed, started["activationCode"], **changed) == "ERR0018", (
                name
            )
    if version.facts.timestamp:
        later = {"timestamp": sealed.fields["timestamp"] + 1}
        assert await _prepare(api, device, sealed, started["activationCode"], **later) == "ERR0018"
    found = await api.ok("activation/status", activationId=started["activationId"])
    assert found["activationStatus"] == "CREATED"


@pytest.mark.parametrize("version", ProtocolVersion)
async def test_the_fields_must_be_those_of_the_version(
    api: Api, init: InitActivation, make_device: MakeDevice, version: ProtocolVersion
) -> None:
    started, device = await init(), make_device(version)
    sealed = await device.layer2(api.call)
    extra = {"temporaryKeyId": "id", "nonce": b64encode(bytes(16)), "timestamp": clock.now_ms()}
    for name in ("temporaryKeyId", "ephemeralPublicKey", "encryptedData", "mac", "nonce", "timestamp"):
        changed = {name: None if name in sealed.fields else extra[name]}
        assert await _prepare(api, device, sealed, started["activationCode"], **changed) == "ERR0024", name
    for text in ("*", "AA", "AAB="):
        assert await _prepare(api, device, sealed, started["activationCode"], mac=text) == "ERR0024"
    for unknown in ("2.1", "3.4", "3"):
        assert (
            await _prepare(api, device, sealed, started["activationCode"], protocolVersion=unknown)
            == "ERR0018"
        )
    refusal = await _prepare(api, device, sealed, started["activationCode"], protocolVersion="")
    assert refusal == "ERR0024"


async def test_a_version_below_the_applications_minimum_is_like_an_unknown_one(
    api: Api, init: InitActivation, make_device: MakeDevice, application: TestApplication
) -> None:
    await api.ok(
        "application/config/create",
        applicationId=application.application_id,
        key="minimumProtocolVersion",
        values=["3.2"],
    )
    for version, expected in ((ProtocolVersion.V3_1, "ERR0018"), (ProtocolVersion.V3_2, None)):
        started, device = await init(), make_device(version)
        sealed = await device.layer2(api.call)
        request = {"activationCode": started["activationCode"], "applicationKey": device.app.key}
        _, body = await api.post("activation/prepare", **request, **device.env(sealed))
        assert body["responseObject"].get("code") == expected


@pytest.mark.parametrize("version", [ProtocolVersion.V3_2, ProtocolVersion.V3_3])
async def test_an_envelope_is_accepted_once(
    api: Api, init: InitActivation, make_device: MakeDevice, version: ProtocolVersion
) -> None:
    first, second, device = await init(), await init(), make_device(version)
    sealed = await device.layer2(api.call)
    request = {"applicationKey": device.app.key} | device.env(sealed)
    await api.ok("activation/prepare", activationCode=first["activationCode"], **request)
    for code in (first["activationCode"], second["activationCode"]):
        assert await api.error("activation/prepare", activationCode=code, **request) == "ERR0024"
    assert await api.error("activation/create", userId="u", **request) == "ERR0024"
    found = await api.ok("activation/status", activationId=second["activationId"])
    assert found["activationStatus"] == "CREATED"


async def test_an_envelope_is_opened_once_whoever_decides(
    api: Api, init: InitActivation, make_device: MakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And accepted once, also where the answer is a refusal that counts."""
    code = (await init(commitPhase="ON_KEY_EXCHANGE", activationOtp="918273"))["activationCode"]
    open_envelope, opened = ClosedEnvelope.open, []

    def noted(envelope: ClosedEnvelope, *of: Any) -> OpenedEnvelope:
        opened.append(of)
        return open_envelope(envelope, *of)

    monkeypatch.setattr(ClosedEnvelope, "open", noted)
    device = make_device()
    sealed = await device.layer2(api.call, otp="000000")
    for times, error in enumerate(("ERR0031", "ERR0024"), 1):
        assert (await _prepare(api, device, sealed, code), len(opened)) == (error, times)
    sealed = await device.layer2(api.call, otp="918273")
    request = {"activationCode": code, "applicationKey": device.app.key} | device.env(sealed)
    answer = await api.ok("activation/prepare", **request)
    assert (answer["activationStatus"], len(opened)) == ("ACTIVE", 3)


async def test_a_tampered_envelope_does_not_use_up_the_real_one(
    api: Api, init: InitActivation, make_device: MakeDevice
) -> None:
    started, device = await init(), make_device()
    sealed = await device.layer2(api.call)
    assert (
        await _prepare(api, device, sealed, started["activationCode"], mac=b64encode(bytes(32))) == "ERR0018"
    )
    answer = await api.call(
        "activation/prepare",
        {"activationCode": started["activationCode"], "applicationKey": device.app.key} | device.env(sealed),
    )
    assert answer["activationStatus"] == "PENDING_COMMIT"


@pytest.mark.parametrize("offset", [-61_000, 61_000])
async def test_an_envelope_outside_the_time_window_is_refused(
    api: Api, init: InitActivation, make_device: MakeDevice, offset: int
) -> None:
    started, device = await init(), make_device()
    await device.prepare_scope(api.call, Scope.APPLICATION)
    sealed = device.seal(
        SharedInfo1.ACTIVATION_LAYER_2, _layer2(), Scope.APPLICATION, timestamp=clock.now_ms() + offset
    )
    assert await _prepare(api, device, sealed, started["activationCode"]) == "ERR0024"


async def test_temporary_keys_are_bound_to_scope_application_and_time(
    api: Api,
    core: Core,
    init: InitActivation,
    make_device: MakeDevice,
    activate: Activate,
    new_application: NewApplication,
) -> None:
    active = await activate()
    await active.prepare_scope(api.call, Scope.ACTIVATION)
    other = await new_application("other")
    stranger = Phone(other.app)
    await stranger.prepare_scope(api.call, Scope.APPLICATION)
    started, device = await init(), make_device()
    await device.prepare_scope(api.call, Scope.APPLICATION)
    own = device.temporary[Scope.APPLICATION]

    for taken in (
        active.temporary[Scope.ACTIVATION],
        stranger.temporary[Scope.APPLICATION],
        ("no-id", own[1]),
    ):
        device.temporary[Scope.APPLICATION] = taken
        sealed = await device.layer2(api.call)
        assert await _prepare(api, device, sealed, started["activationCode"]) == "ERR0045"

    device.temporary[Scope.APPLICATION] = own
    await execute(
        core,
        update(TemporaryKey)
        .where(TemporaryKey.id == own[0])
        .values(timestamp_expires=moments.from_ms(clock.now_ms() - 1)),
    )
    sealed = await device.layer2(api.call)
    assert await _prepare(api, device, sealed, started["activationCode"]) == "ERR0045"


async def test_a_failed_direct_activation_leaves_nothing_behind(
    api: Api, core: Core, make_device: MakeDevice
) -> None:
    device = make_device()
    request = {"userId": "user-1", "applicationKey": device.app.key}
    sealed = await device.layer2(api.call)
    broken = device.env(sealed) | {"mac": b64encode(bytes(32))}
    assert await api.error("activation/create", **request, **broken) == "ERR0018"
    for past in ({"maxFailureCount": 0}, {"timestampActivationExpire": 1_000}):
        assert await api.error("activation/create", **request, **device.env(sealed), **past) == "ERR0024"
    async with core.database.read() as session:
        assert (await session.execute(select(Activation))).first() is None


async def test_an_activation_code_is_unique_by_its_first_half(
    init: InitActivation, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = activation_code.generate(bytes(10))
    same_half = activation_code.generate(bytes(7) + b"\x01\x02\x03")
    assert taken[:11] == same_half[:11]
    free = activation_code.generate(b"\xff" * 10)
    codes = iter([taken, same_half, taken, free])
    monkeypatch.setattr(
        "powerauth_core.activations.initialisation.activation_code.generate", lambda: next(codes)
    )
    assert (await init())["activationCode"] == taken
    assert (await init())["activationCode"] == free


@pytest.mark.parametrize("version", ProtocolVersion)
async def test_older_clients_need_not_tell_the_protocol_version(
    api: Api, init: InitActivation, make_device: MakeDevice, version: ProtocolVersion
) -> None:
    started = await init()
    device: Phone = make_device(version)
    sealed = await device.layer2(api.call)
    env = {name: value for name, value in device.env(sealed).items() if name != "protocolVersion"}
    exchanged = await api.ok(
        "activation/prepare", activationCode=started["activationCode"], applicationKey=device.app.key, **env
    )
    assert exchanged["activationStatus"] == "PENDING_COMMIT"
    assert (exchanged["nonce"] is not None, exchanged["timestamp"] is not None) == (
        version.facts.timestamp,
        version.facts.timestamp,
    )
