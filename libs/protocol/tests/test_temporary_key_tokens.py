"""Temporary key tokens: fixed algorithms, no changed bit accepted (spec/protocol-v3.md §6)."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powerauth_protocol.common.encoding import b64encode, b64url_encode
from powerauth_protocol.common.errors import KeyFormatError, ProtocolError, TokenFormatError
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.keys import TransportKey, export_public_key, generate_key_pair
from powerauth_protocol.v3.temporary_key import (
    MAX_CHALLENGE_LENGTH,
    TemporaryKey,
    TemporaryKeyRequest,
    build_request_jwt,
    build_response_jwt,
    parse_request_jwt,
    parse_response_jwt,
    request_signing_key,
    verify_response_jwt,
)

KEY = bytes(range(16))
SIGNER = generate_key_pair()
TEMPORARY = generate_key_pair()
REQUEST = TemporaryKeyRequest("UFFSU1RVVldYWVpbXF1eXw==", challenge="Y2hhbGxlbmdl")
ANSWER = TemporaryKey(
    key_id="89abcdef-0123-4567-89ab-cdef01234567",
    application_key="UFFSU1RVVldYWVpbXF1eXw==",
    public_key=TEMPORARY.public,
    issued_at_ms=1700000000999,
    expires_at_ms=1700000300999,
    challenge="Y2hhbGxlbmdl",
)
Flips = Callable[[bytes], Iterator[bytes]]


def _encode(value: Any) -> str:
    return b64url_encode(json.dumps(value).encode())


def _mac(signing_input: str, key: bytes = KEY, digest: str = "sha256") -> str:
    return f"{signing_input}.{b64url_encode(hmac.digest(key, signing_input.encode(), digest))}"


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=40, deadline=None)
@given(
    st.builds(
        TemporaryKeyRequest,
        st.none() | texts,
        st.none() | texts,
        st.none() | texts,
        st.none() | st.integers(0, 1 << 40),
        st.none() | st.integers(0, 1 << 40),
    ),
    st.binary(min_size=16, max_size=16),
)
def test_a_request_round_trips(claims: TemporaryKeyRequest, key: bytes) -> None:
    parsed = parse_request_jwt(build_request_jwt(claims, key))
    assert parsed.claims == claims
    assert parsed.verify(key)
    assert not parsed.verify(bytes(15) + b"\xff" + key[:1])


def test_an_answer_round_trips_and_floors_seconds() -> None:
    text = build_response_jwt(ANSWER, SIGNER.private)
    assert verify_response_jwt(text, SIGNER.public) == ANSWER
    payload = text.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert (claims["iat"], claims["exp"]) == (1700000000, 1700000300)
    assert "activationId" not in claims
    assert claims["publicKey"] == b64encode(export_public_key(TEMPORARY.public))


def test_an_answer_without_challenge_leaves_the_claim_out() -> None:
    claims = TemporaryKey("id", "key", TEMPORARY.public, 1, 2).to_claims()
    assert "challenge" not in claims
    assert "activationId" not in claims


def test_every_flipped_bit_of_a_request_is_refused(bit_flips: Flips) -> None:
    for changed in bit_flips(build_request_jwt(REQUEST, KEY).encode()):
        try:
            parsed = parse_request_jwt(changed.decode("latin-1"))
        except TokenFormatError:
            continue
        assert not parsed.verify(KEY)


def test_every_flipped_bit_of_an_answer_is_refused(bit_flips: Flips) -> None:
    for changed in bit_flips(build_response_jwt(ANSWER, SIGNER.private).encode()):
        with pytest.raises(TokenFormatError):
            verify_response_jwt(changed.decode("latin-1"), SIGNER.public)


def test_an_answer_signed_by_another_key_is_refused() -> None:
    with pytest.raises(TokenFormatError):
        verify_response_jwt(build_response_jwt(ANSWER, TEMPORARY.private), SIGNER.public)


@pytest.mark.parametrize(
    ("header", "digest"),
    [
        ({"alg": "HS384"}, "sha384"),
        ({"alg": "HS512"}, "sha512"),
        ({"alg": "none"}, "sha256"),
        ({"alg": "hs256"}, "sha256"),
        ({"alg": ["HS256"]}, "sha256"),
        ({"typ": "JWT"}, "sha256"),
        ({"alg": "HS256", "crit": ["exp"]}, "sha256"),
        ([], "sha256"),
    ],
)
def test_only_hs256_is_accepted_in_a_request(header: Any, digest: str) -> None:
    text = _mac(f"{_encode(header)}.{_encode(REQUEST.to_claims())}", digest=digest)
    with pytest.raises(TokenFormatError):
        parse_request_jwt(text)


def test_the_public_key_is_no_mac_key_of_an_answer() -> None:
    signing_input = f"{_encode({'alg': 'HS256'})}.{_encode(ANSWER.to_claims())}"
    with pytest.raises(TokenFormatError):
        verify_response_jwt(_mac(signing_input, export_public_key(SIGNER.public)), SIGNER.public)


@pytest.mark.parametrize(
    "claims",
    [
        {"applicationKey": 1},
        {"applicationKey": "a", "activationId": []},
        {"applicationKey": "a", "challenge": {}},
        {"applicationKey": "a", "challenge": "x" * (MAX_CHALLENGE_LENGTH + 1)},
    ],
)
def test_claims_of_a_wrong_type_or_length_are_refused(claims: dict[str, Any]) -> None:
    with pytest.raises(TokenFormatError):
        parse_request_jwt(_mac(f"{_encode({'alg': 'HS256'})}.{_encode(claims)}"))


def test_a_request_may_lack_claims_that_the_server_judges() -> None:
    parsed = parse_request_jwt(_mac(f"{_encode({'alg': 'HS256'})}.{_encode({'iat': 'soon', 'exp': None})}"))
    assert parsed.claims == TemporaryKeyRequest(None)
    assert parsed.claims.scope is Scope.APPLICATION


@pytest.mark.parametrize("name", ["sub", "applicationKey", "publicKey", "iat_ms", "exp_ms"])
@pytest.mark.parametrize("value", [None, True, [], "x" * 3])
def test_an_answer_lacking_a_claim_is_refused(name: str, value: Any) -> None:
    if name in {"sub", "applicationKey"} and isinstance(value, str):
        return
    claims = {**ANSWER.to_claims(), name: value}
    with pytest.raises(TokenFormatError):
        parse_response_jwt(f"{_encode({'alg': 'ES256'})}.{_encode(claims)}.AAAA")


def test_base64url_is_strict() -> None:
    text = build_request_jwt(REQUEST, KEY)
    header, payload, mac = text.split(".")
    for broken in (
        f"{header}.{payload}.{mac}=",
        f"{header}.{payload}.{mac} ",
        f"{header}.{payload}\n.{mac}",
        f"{header}.{payload}.{mac}.{mac}",
        f"{header}.{payload}",
        f"{header}.{payload}.{mac[:-1]}" + chr(ord(mac[-1]) + 1),
    ):
        try:
            verified = parse_request_jwt(broken).verify(KEY)
        except TokenFormatError:
            continue
        assert not verified


def test_signing_keys_fit_their_scope() -> None:
    transport_key = TransportKey(bytes(16))
    assert request_signing_key(Scope.APPLICATION, KEY) == KEY
    assert request_signing_key(Scope.ACTIVATION, KEY, transport_key) != KEY
    for scope, secret, transport in (
        (Scope.APPLICATION, KEY, transport_key),
        (Scope.APPLICATION, KEY[:15], None),
        (Scope.ACTIVATION, KEY, None),
        (Scope.ACTIVATION, KEY, TransportKey(bytes(32))),
    ):
        with pytest.raises(KeyFormatError):
            request_signing_key(scope, secret, transport)


def test_the_mac_does_not_show_in_representations() -> None:
    parsed = parse_request_jwt(build_request_jwt(REQUEST, KEY))
    assert repr(parsed.mac) not in repr(parsed)


def test_claims_that_are_not_unicode_are_a_protocol_error() -> None:
    with pytest.raises(ProtocolError):
        build_request_jwt(TemporaryKeyRequest("\ud800"), KEY)
