"""Rules that a device keeps by itself, whatever a server does."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.errors import ProtocolError
from powerauth_protocol.generation import read_authorization
from powerauth_protocol.v3 import activation_code, offline
from powerauth_protocol.v3.http_headers import AUTHORIZATION_HEADER, parse_fields
from powerauth_protocol.v3.keys import (
    KeyPair,
    KnowledgeKey,
    compress_public_key,
    derive_factor_keys,
    export_public_key,
    generate_key_pair,
    master_secret,
)
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.temporary_key import TemporaryKey, build_response_jwt
from powerauth_protocol.v3.vault import encrypt_device_private_key
from powerauth_sdk import (
    ActivationState,
    Answer,
    AppConfig,
    Device,
    FileStore,
    MobileToken,
    ServerRefused,
    StateStore,
    UnexpectedAnswer,
    UntrustedData,
    WrongDeviceState,
)
from powerauth_sdk.factors import change_pin, protect_knowledge_key, store_biometry_key, unlocked_keys

PIN = "1234"
MASTER = generate_key_pair()
SERVER = generate_key_pair()
DEVICE = generate_key_pair()
KEYS = derive_factor_keys(master_secret(DEVICE.private, SERVER.public))
CONFIG = AppConfig(
    base_url="http://nowhere.invalid",
    application_key=b64encode(bytes(range(16))),
    application_secret=b64encode(bytes(range(16, 32))),
    master_public_key=b64encode(export_public_key(MASTER.public)),
)


def new_state() -> ActivationState:
    salt = bytes(16)
    state = ActivationState(
        activation_id="01234567-89ab-4def-8123-456789abcdef",
        ctr_data=b64encode(bytes(range(16))),
        ctr_byte=255,
        possession_key=b64encode(KEYS.possession),
        transport_key=b64encode(KEYS.transport),
        encrypted_knowledge_key=protect_knowledge_key(KEYS.knowledge, PIN, salt, 10),
        pin_salt=b64encode(salt),
        pin_iterations=10,
        encrypted_device_private_key=b64encode(encrypt_device_private_key(KEYS.vault, DEVICE.private)),
        server_public_key=b64encode(export_public_key(SERVER.public)),
        device_public_key=b64encode(compress_public_key(DEVICE.public)),
    )
    store_biometry_key(state, KEYS.biometry)
    return state


class Recorder:
    """A transport that records and answers with what it was given."""

    def __init__(self, answer: Answer | None = None, store: StateStore | None = None) -> None:
        self.sent: list[tuple[str, str, dict[str, str], bytes]] = []
        self.counters_stored_at_send: list[str] = []
        self._answer = answer or Answer(200, b'{"status":"OK","responseObject":{}}')
        self._store = store

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.sent.append((method, path, dict(headers), body))
        if self._store is not None and (state := self._store.load()):
            self.counters_stored_at_send.append(state.ctr_data)
        return self._answer


def activated(transport: Recorder | None = None, store: StateStore | None = None) -> Device:
    store = store or StateStore()
    store.save(new_state())
    return Device(CONFIG, transport or Recorder(), store)


async def test_a_code_with_a_wrong_checksum_is_refused_before_anything_is_sent() -> None:
    transport = Recorder()
    device = Device(CONFIG, transport)
    with pytest.raises(ProtocolError):
        await device.activate_with_code("AAAAA-AAAAA-AAAAA-AAAAQ", PIN)
    assert transport.sent == []


async def test_a_code_signed_by_another_application_is_refused_before_anything_is_sent() -> None:
    transport = Recorder()
    device = Device(CONFIG, transport)
    code = activation_code.generate()
    forged = activation_code.build_qr(code, activation_code.sign(code, generate_key_pair().private))
    with pytest.raises(UntrustedData):
        await device.activate_with_code(forged, PIN)
    assert transport.sent == []


async def test_a_recovery_code_is_not_taken_for_an_activation_code() -> None:
    device = Device(CONFIG, Recorder())
    with pytest.raises(UntrustedData):
        await device.activate_with_code(activation_code.build_recovery_qr(activation_code.generate()), PIN)


async def test_a_device_activates_only_once() -> None:
    device = activated()
    with pytest.raises(WrongDeviceState):
        await device.activate_with_code(activation_code.generate(), PIN)


async def test_the_stepped_counter_is_stored_before_the_request_leaves() -> None:
    store = StateStore()
    transport = Recorder(store=store)
    device = activated(transport, store)
    before = device.state.ctr_data
    await device.validate_signature(pin=PIN)
    assert transport.counters_stored_at_send == [device.state.ctr_data]
    assert device.state.ctr_data != before
    assert device.state.ctr_byte == 0, "the counter byte wraps"


async def test_a_refused_signature_moves_the_counter_all_the_same() -> None:
    refusal = {"status": "ERROR", "responseObject": {"code": "ERR_AUTHENTICATION", "message": "x"}}
    device = activated(Recorder(Answer(401, json.dumps(refusal).encode())))
    before = device.state.ctr_data
    with pytest.raises(ServerRefused) as refused:
        await device.validate_signature(pin=PIN)
    assert (refused.value.http_status, refused.value.code) == (401, "ERR_AUTHENTICATION")
    assert device.state.ctr_data != before


async def test_concurrent_signatures_never_share_a_counter() -> None:
    import asyncio

    device = activated()
    headers = await asyncio.gather(
        *[device.signed_header(method="POST", uri_id="/x", body=b"", pin=PIN) for _ in range(8)]
    )
    texts = [header[AUTHORIZATION_HEADER] for header in headers]
    signatures = {read_authorization(parse_fields(text)).signature for text in texts}
    assert len(signatures) == 8


def test_a_wrong_pin_gives_a_wrong_key_and_no_error() -> None:
    state = new_state()
    wrong = unlocked_keys(state, SignatureType.POSSESSION_KNOWLEDGE, "0000").knowledge
    assert len(wrong) == 16
    assert wrong != KEYS.knowledge


def test_the_right_factors_are_unlocked() -> None:
    unlocked = unlocked_keys(new_state(), SignatureType.POSSESSION_KNOWLEDGE_BIOMETRY, PIN)
    assert unlocked.possession == KEYS.possession
    assert unlocked.knowledge == KEYS.knowledge
    assert unlocked.biometry == KEYS.biometry


def test_a_changed_pin_opens_the_same_key() -> None:
    state = new_state()
    change_pin(state, PIN, "9876")
    assert unlocked_keys(state, SignatureType.POSSESSION_KNOWLEDGE, "9876").knowledge == KEYS.knowledge
    assert unlocked_keys(state, SignatureType.POSSESSION_KNOWLEDGE, PIN).knowledge != KEYS.knowledge


@pytest.mark.parametrize(
    ("signature_type", "pin"),
    [(SignatureType.POSSESSION_KNOWLEDGE, None), (SignatureType.POSSESSION_BIOMETRY, PIN)],
)
def test_a_missing_factor_is_named_and_no_counter_is_spent(
    signature_type: SignatureType, pin: str | None
) -> None:
    state = new_state()
    state.encrypted_biometry_key = None
    with pytest.raises(WrongDeviceState):
        unlocked_keys(state, signature_type, pin)


async def test_an_offline_payload_of_another_server_is_refused() -> None:
    device = activated()
    payload = offline.build_personalized(
        "op-1\nTitle\nText\nA2\nB", os.urandom(16), generate_key_pair().private
    )
    before = device.state.ctr_data
    with pytest.raises(UntrustedData):
        await MobileToken(device).approve_offline(payload, PIN)
    assert device.state.ctr_data == before


@pytest.mark.parametrize("signer", [SERVER, MASTER])
async def test_an_offline_payload_of_its_own_server_gives_digits(signer: KeyPair) -> None:
    build = offline.build_personalized if signer is SERVER else offline.build_non_personalized
    payload = build("op-1\nTitle\nText\nA2\nB", os.urandom(16), signer.private)
    digits = await MobileToken(activated()).approve_offline(payload, PIN)
    assert [len(part) for part in digits.split("-")] == [8, 8]


@pytest.mark.parametrize("wrong", ["challenge", "application_key", "signer"])
async def test_a_temporary_key_for_another_request_is_refused(wrong: str) -> None:
    class Issuer(Recorder):
        async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
            from powerauth_protocol.v3.temporary_key import parse_request_jwt

            asked = parse_request_jwt(json.loads(body)["requestObject"]["jwt"]).claims
            issued = TemporaryKey(
                key_id="89abcdef-0123-4567-89ab-cdef01234567",
                application_key="other" if wrong == "application_key" else str(asked.application_key),
                public_key=generate_key_pair().public,
                issued_at_ms=1_700_000_000_000,
                expires_at_ms=1_700_000_300_000,
                challenge="other" if wrong == "challenge" else asked.challenge,
            )
            signer = generate_key_pair() if wrong == "signer" else MASTER
            answer = {"status": "OK", "responseObject": {"jwt": build_response_jwt(issued, signer.private)}}
            return Answer(200, json.dumps(answer).encode())

    device = Device(CONFIG, Issuer())
    with pytest.raises((UnexpectedAnswer, ProtocolError)):
        await device.activate_with_code(activation_code.generate(), PIN)
    assert not device.activated


def test_a_state_file_is_private_and_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "device.json"
    store = FileStore(path)
    store.save_settings({"url": "http://example.invalid"})
    store.save(new_state())
    assert path.stat().st_mode & 0o777 == 0o600
    again = FileStore(path)
    assert again.load() == store.load()
    assert again.settings == {"url": "http://example.invalid"}


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"activation": {"activation_id": 1}}', '{"activation": 7}']
)
def test_a_file_that_is_no_state_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "device.json"
    path.write_text(content)
    with pytest.raises(WrongDeviceState):
        FileStore(path)


def test_the_state_shows_no_secret_when_printed() -> None:
    shown = repr(new_state())
    for secret in (KEYS.possession, KEYS.transport, bytes(range(16))):
        assert b64encode(secret) not in shown
    assert KnowledgeKey(KEYS.knowledge).hex() not in shown
