"""ECIES: round trips, refusals, one use per envelope (spec/protocol-v3.md §5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.errors import (
    DecryptionError,
    EncodingError,
    EnvelopeFormatError,
    EnvelopeStateError,
    KeyFormatError,
    ProtocolError,
)
from powerauth_protocol.v3 import ecies
from powerauth_protocol.v3.ecies import (
    ClientEncryptor,
    EciesContext,
    EciesRequest,
    EciesResponse,
    Scope,
    ServerEnvelope,
    SharedInfo1,
)
from powerauth_protocol.v3.keys import TransportKey, export_public_key, generate_key_pair
from powerauth_protocol.v3.versions import ProtocolVersion

Flips = Callable[[bytes], Iterator[bytes]]

SERVER = generate_key_pair()
APP_KEY = "UFFSU1RVVldYWVpbXF1eXw=="
APP_SECRET = "YGFiY2RlZmdoaWprbG1ubw=="
ACTIVATION_ID = "01234567-89ab-4def-8123-456789abcdef"
TEMPORARY_KEY_ID = "89abcdef-0123-4567-89ab-cdef01234567"
TRANSPORT_KEY = TransportKey(bytes(range(16)))
VERSIONS = list(ProtocolVersion)


def _context(version: ProtocolVersion, scope: Scope = Scope.ACTIVATION) -> EciesContext:
    return EciesContext(
        version=version,
        scope=scope,
        sh1=SharedInfo1.generic(scope),
        application_key=APP_KEY,
        activation_id=ACTIVATION_ID if scope is Scope.ACTIVATION else None,
        temporary_key_id=TEMPORARY_KEY_ID if version.facts.temporary_keys else None,
    )


def _base(scope: Scope = Scope.ACTIVATION) -> bytes:
    return ecies.shared_info2_base(scope, APP_SECRET, TRANSPORT_KEY if scope is Scope.ACTIVATION else None)


def _client(version: ProtocolVersion, scope: Scope = Scope.ACTIVATION) -> ClientEncryptor:
    return ClientEncryptor(_context(version, scope), SERVER.public, _base(scope))


def _open(version: ProtocolVersion, request: EciesRequest) -> bytes:
    return ecies.open_envelope(_context(version), SERVER.private, _base(), request)[0]


@settings(max_examples=40, deadline=None)
@given(
    version=st.sampled_from(VERSIONS),
    scope=st.sampled_from(Scope),
    compressed=st.booleans(),
    plaintext=st.binary(max_size=200),
    answer=st.binary(max_size=200),
)
def test_request_and_response_round_trip(
    version: ProtocolVersion, scope: Scope, compressed: bool, plaintext: bytes, answer: bytes
) -> None:
    client = _client(version, scope)
    request = (
        client.encrypt(plaintext)
        if compressed
        else client.encrypt(plaintext, encode_public_key=export_public_key)
    )
    received = EciesRequest.from_json_dict(request.to_json_dict(), version)
    opened, envelope = ecies.open_envelope(_context(version, scope), SERVER.private, _base(scope), received)
    assert opened == plaintext
    response = EciesResponse.from_json_dict(envelope.encrypt(answer).to_json_dict(), version)
    assert client.decrypt(response) == answer


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("scope", list(Scope))
def test_an_edge_with_the_envelope_key_opens_and_answers(version: ProtocolVersion, scope: Scope) -> None:
    client = _client(version, scope)
    request = client.encrypt(b"question")
    context = _context(version, scope)
    secret = ecies.derive_envelope_key(SERVER.private, request.ephemeral_public_key, context.sh1, version)
    envelope = ServerEnvelope.from_secret(context, secret, _base(scope), request)
    assert envelope.decrypt(request) == b"question"
    assert client.decrypt(envelope.encrypt(b"answer")) == b"answer"


@pytest.mark.parametrize("version", VERSIONS)
def test_an_edge_that_knows_only_complete_shared_info_opens_and_answers(version: ProtocolVersion) -> None:
    client, context, base = _client(version), _context(version), _base()
    request = client.encrypt(b"question")
    secret = ecies.derive_envelope_key(SERVER.private, request.ephemeral_public_key, context.sh1, version)
    request_info = ecies.request_shared_info2(context, base, request)
    assert ecies.verify_request_mac(secret, request_info, request)
    assert ecies.decrypt_request(version, secret, request_info, request) == b"question"
    nonce = bytes(range(16)) if version.facts.response_nonce else request.nonce
    timestamp = 1700000000000 if version.facts.timestamp else None
    response_info = ecies.response_shared_info2(context, base, nonce, timestamp)
    response = ecies.encrypt_response(
        version, secret, response_info, b"answer", nonce=nonce, timestamp=timestamp
    )
    assert client.decrypt(response) == b"answer"


def _broken_requests(request: EciesRequest, flips: Flips) -> Iterator[EciesRequest]:
    for changed in flips(request.mac):
        yield replace(request, mac=changed)
    for changed in flips(request.encrypted_data):
        yield replace(request, encrypted_data=changed)
    for cut in range(32):
        yield replace(request, mac=request.mac[:cut])
    for length in range(len(request.encrypted_data)):
        yield replace(request, encrypted_data=request.encrypted_data[:length])


@pytest.mark.parametrize("version", VERSIONS)
def test_every_flipped_bit_of_mac_and_ciphertext_is_refused(
    version: ProtocolVersion, bit_flips: Flips
) -> None:
    request = _client(version).encrypt(b"{}")
    context, base = _context(version), _base()
    secret = ecies.derive_envelope_key(SERVER.private, request.ephemeral_public_key, context.sh1, version)
    envelope = ServerEnvelope.from_secret(context, secret, base, request)
    for broken in _broken_requests(request, bit_flips):
        with pytest.raises(DecryptionError):
            envelope.decrypt(broken)
    assert envelope.decrypt(request) == b"{}"


@pytest.mark.parametrize("version", [ProtocolVersion.V3_2, ProtocolVersion.V3_3])
def test_every_flipped_bit_of_nonce_timestamp_and_ephemeral_key_is_refused(
    version: ProtocolVersion, bit_flips: Flips
) -> None:
    request = _client(version).encrypt(b"{}")
    assert request.nonce is not None
    assert request.timestamp is not None
    broken = [replace(request, nonce=changed) for changed in bit_flips(request.nonce)]
    broken += [replace(request, timestamp=request.timestamp ^ (1 << bit)) for bit in range(63)]
    broken += [
        replace(request, ephemeral_public_key=changed) for changed in bit_flips(request.ephemeral_public_key)
    ]
    for changed_request in broken:
        with pytest.raises(DecryptionError):
            _open(version, changed_request)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_flipped_bit_of_a_response_is_refused(version: ProtocolVersion, bit_flips: Flips) -> None:
    client, context, base = _client(version), _context(version), _base()
    request = client.encrypt(b"{}")
    _, envelope = ecies.open_envelope(context, SERVER.private, base, request)
    response = envelope.encrypt(b"{}")
    secret = ecies.derive_envelope_key(SERVER.private, request.ephemeral_public_key, context.sh1, version)
    info = ecies.response_shared_info2(context, base, response.nonce, response.timestamp)
    broken = [replace(response, mac=changed) for changed in bit_flips(response.mac)]
    broken += [replace(response, encrypted_data=changed) for changed in bit_flips(response.encrypted_data)]
    for changed_response in broken:
        with pytest.raises(DecryptionError):
            ecies.decrypt_response(version, secret, info, changed_response, request_nonce=request.nonce)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "change",
    [
        {"sh1": SharedInfo1.CREATE_TOKEN},
        {"application_key": "AAAAAAAAAAAAAAAAAAAAAA=="},
        {"activation_id": "11234567-89ab-4def-8123-456789abcdef"},
    ],
)
def test_an_envelope_opens_only_in_its_context(version: ProtocolVersion, change: dict[str, Any]) -> None:
    request = _client(version).encrypt(b"{}")
    context = replace(_context(version), **change)
    bound = "sh1" in change or version.facts.associated_data
    if bound:
        with pytest.raises(DecryptionError):
            ecies.open_envelope(context, SERVER.private, _base(), request)
    else:
        assert ecies.open_envelope(context, SERVER.private, _base(), request)[0] == b"{}"


def test_activation_ids_are_bound_case_sensitively() -> None:
    request = _client(ProtocolVersion.V3_3).encrypt(b"{}")
    context = replace(_context(ProtocolVersion.V3_3), activation_id=ACTIVATION_ID.upper())
    with pytest.raises(DecryptionError):
        ecies.open_envelope(context, SERVER.private, _base(), request)


def test_another_temporary_key_id_is_refused() -> None:
    version = ProtocolVersion.V3_3
    request = _client(version).encrypt(b"{}")
    with pytest.raises(DecryptionError):
        _open(version, replace(request, temporary_key_id=ACTIVATION_ID))
    unknown = replace(_context(version), temporary_key_id=None)
    assert ecies.open_envelope(unknown, SERVER.private, _base(), request)[0] == b"{}"


def test_compressed_and_uncompressed_ephemeral_keys_are_not_exchangeable() -> None:
    version = ProtocolVersion.V3_3
    ephemeral = generate_key_pair()
    request = _client(version).encrypt(b"{}", ephemeral=ephemeral)
    with pytest.raises(DecryptionError):
        _open(version, replace(request, ephemeral_public_key=export_public_key(ephemeral.public)))


@pytest.mark.parametrize("made", VERSIONS)
@pytest.mark.parametrize("opened", VERSIONS)
def test_an_envelope_opens_only_in_its_version(made: ProtocolVersion, opened: ProtocolVersion) -> None:
    request = _client(made).encrypt(b"{}")
    if made is opened:
        assert _open(opened, request) == b"{}"
        return
    with pytest.raises(EnvelopeFormatError):
        _open(opened, request)
    fitted = replace(
        request,
        temporary_key_id=TEMPORARY_KEY_ID if opened.facts.temporary_keys else None,
        nonce=(request.nonce or bytes(16)) if opened.facts.request_nonce else None,
        timestamp=(request.timestamp or 0) if opened.facts.timestamp else None,
    )
    if {made, opened} == {ProtocolVersion.V3_0, ProtocolVersion.V3_1}:
        # Their MAC covers ciphertext and base only: the vector only garbles the first block.
        assert _open_or_none(opened, fitted) != b"{}"
        return
    with pytest.raises(DecryptionError):
        _open(opened, fitted)


def _open_or_none(version: ProtocolVersion, request: EciesRequest) -> bytes | None:
    try:
        return _open(version, request)
    except DecryptionError:
        return None


@pytest.mark.parametrize("version", VERSIONS)
def test_presence_of_every_field_is_exactly_the_version_s(version: ProtocolVersion) -> None:
    members = _client(version).encrypt(b"{}").to_json_dict()
    expected = {"ephemeralPublicKey", "encryptedData", "mac"}
    expected |= {"nonce"} if version.facts.request_nonce else set()
    expected |= {"timestamp"} if version.facts.timestamp else set()
    expected |= {"temporaryKeyId"} if version.facts.temporary_keys else set()
    assert set(members) == expected
    for name in members:
        with pytest.raises(EnvelopeFormatError):
            EciesRequest.from_json_dict({**members, name: None}, version)
    extra = {"nonce": b64encode(bytes(16)), "timestamp": 1, "temporaryKeyId": TEMPORARY_KEY_ID}
    for name in set(extra) - set(members):
        with pytest.raises(EnvelopeFormatError):
            EciesRequest.from_json_dict({**members, name: extra[name]}, version)
        assert EciesRequest.from_json_dict({**members, name: None}, version).to_json_dict() == members


@pytest.mark.parametrize(
    "change",
    [
        {"unknown": 1},
        {"mac": 1},
        {"mac": "!"},
        {"mac": "AA"},
        {"nonce": "AAAA="},
        {"encryptedData": []},
        {"ephemeralPublicKey": {}},
        {"temporaryKeyId": 1},
        {"timestamp": "1700000000000"},
        {"timestamp": 1.5},
        {"timestamp": True},
        {"timestamp": -1},
        {"timestamp": 1 << 63},
    ],
)
def test_malformed_members_are_refused(change: dict[str, Any]) -> None:
    members = _client(ProtocolVersion.V3_3).encrypt(b"{}").to_json_dict()
    with pytest.raises(EnvelopeFormatError):
        EciesRequest.from_json_dict({**members, **change}, ProtocolVersion.V3_3)


def test_a_nonce_of_another_length_is_refused_when_decrypting() -> None:
    for version in (ProtocolVersion.V3_1, ProtocolVersion.V3_2):
        request = replace(_client(version).encrypt(b"{}"), nonce=bytes(15))
        with pytest.raises(DecryptionError):
            _open(version, request)


def test_one_request_and_one_response_per_encryptor() -> None:
    client = _client(ProtocolVersion.V3_3)
    with pytest.raises(EnvelopeStateError):
        client.decrypt(EciesResponse(bytes(16), bytes(32), bytes(16), 1))
    request = client.encrypt(b"{}")
    with pytest.raises(EnvelopeStateError):
        client.encrypt(b"{}")
    _, envelope = ecies.open_envelope(_context(ProtocolVersion.V3_3), SERVER.private, _base(), request)
    response = envelope.encrypt(b"{}")
    with pytest.raises(EnvelopeStateError):
        envelope.encrypt(b"{}")
    client.decrypt(response)
    with pytest.raises(EnvelopeStateError):
        client.decrypt(response)


@pytest.mark.parametrize("version", [ProtocolVersion.V3_2, ProtocolVersion.V3_3])
def test_a_response_needs_a_nonce_of_its_own(version: ProtocolVersion) -> None:
    client = _client(version)
    request = client.encrypt(b"{}")
    assert request.nonce is not None
    context, base = _context(version), _base()
    _, envelope = ecies.open_envelope(context, SERVER.private, base, request)
    with pytest.raises(EncodingError):
        envelope.encrypt(b"{}", nonce=request.nonce)
    secret = ecies.derive_envelope_key(SERVER.private, request.ephemeral_public_key, context.sh1, version)
    info = ecies.response_shared_info2(context, base, request.nonce, 1)
    reused = ecies.encrypt_response(version, secret, info, b"{}", nonce=request.nonce, timestamp=1)
    with pytest.raises(DecryptionError):
        client.decrypt(reused)


def test_a_response_of_3_0_and_3_1_carries_no_nonce_and_no_timestamp() -> None:
    for version in (ProtocolVersion.V3_0, ProtocolVersion.V3_1):
        request = _client(version).encrypt(b"{}")
        _, envelope = ecies.open_envelope(_context(version), SERVER.private, _base(), request)
        with pytest.raises(EnvelopeFormatError):
            envelope.encrypt(b"{}", nonce=bytes(16))
        with pytest.raises(EnvelopeFormatError):
            envelope.encrypt(b"{}", timestamp=1)
        assert set(envelope.encrypt(b"{}").to_json_dict()) == {"encryptedData", "mac"}


def test_every_request_has_its_own_key_and_nonce() -> None:
    first, second = (_client(ProtocolVersion.V3_3).encrypt(b"{}") for _ in range(2))
    assert first.ephemeral_public_key != second.ephemeral_public_key
    assert first.nonce != second.nonce


def test_a_context_has_an_activation_id_exactly_in_activation_scope() -> None:
    for scope, activation_id in ((Scope.ACTIVATION, None), (Scope.APPLICATION, ACTIVATION_ID)):
        with pytest.raises(EnvelopeFormatError):
            EciesContext(
                version=ProtocolVersion.V3_3,
                scope=scope,
                sh1=SharedInfo1.generic(scope),
                application_key=APP_KEY,
                activation_id=activation_id,
            )


def test_the_transport_key_belongs_to_activation_scope() -> None:
    for scope, key in (
        (Scope.APPLICATION, TRANSPORT_KEY),
        (Scope.ACTIVATION, None),
        (Scope.ACTIVATION, TransportKey(bytes(15))),
    ):
        with pytest.raises(KeyFormatError):
            ecies.shared_info2_base(scope, APP_SECRET, key)


def test_a_request_of_3_3_needs_a_temporary_key_id() -> None:
    context = replace(_context(ProtocolVersion.V3_3), temporary_key_id=None)
    with pytest.raises(EnvelopeFormatError):
        ClientEncryptor(context, SERVER.public, _base()).encrypt(b"{}")


@settings(max_examples=60, deadline=None)
@given(
    version=st.sampled_from(VERSIONS),
    key=st.binary(max_size=66),
    data=st.binary(max_size=64),
    mac=st.binary(max_size=33),
    nonce=st.binary(max_size=17),
)
def test_arbitrary_envelopes_are_refused(
    version: ProtocolVersion, key: bytes, data: bytes, mac: bytes, nonce: bytes
) -> None:
    request = EciesRequest(
        temporary_key_id=TEMPORARY_KEY_ID if version.facts.temporary_keys else None,
        ephemeral_public_key=key,
        encrypted_data=data,
        mac=mac,
        nonce=nonce if version.facts.request_nonce else None,
        timestamp=1 if version.facts.timestamp else None,
    )
    with pytest.raises(DecryptionError):
        _open(version, request)


def test_all_refusals_look_alike() -> None:
    version = ProtocolVersion.V3_3
    request = _client(version).encrypt(b"{}")
    texts = set()
    for broken in (
        replace(request, mac=bytes(32)),
        replace(request, encrypted_data=bytes(16)),
        replace(request, ephemeral_public_key=b"\x04" + bytes(64)),
        replace(request, nonce=b""),
        replace(request, temporary_key_id="other"),
        replace(request, temporary_key_id="\ud800"),
    ):
        with pytest.raises(DecryptionError) as caught:
            _open(version, broken)
        texts.add(str(caught.value))
    assert len(texts) == 1


def test_secrets_do_not_show_in_representations() -> None:
    context = replace(_context(ProtocolVersion.V3_3), application_secret=APP_SECRET)
    assert APP_SECRET not in repr(context)


def test_text_that_is_not_unicode_is_a_protocol_error() -> None:
    context = replace(_context(ProtocolVersion.V3_3), temporary_key_id="\ud800")
    with pytest.raises(ProtocolError):
        ClientEncryptor(context, SERVER.public, _base()).encrypt(b"{}")
