"""Parsers raise nothing but `ProtocolError`, whatever they are fed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from powerauth_protocol.common import encoding, password_hash, request_data
from powerauth_protocol.common.encoding import b64encode, b64url_encode
from powerauth_protocol.common.errors import ProtocolError
from powerauth_protocol.common.sdk_config import MobileSdkConfig
from powerauth_protocol.v3 import activation_code, offline, temporary_key
from powerauth_protocol.v3.activation import (
    ActivationLayer1Request,
    ActivationLayer1Response,
    ActivationLayer2Request,
    ActivationLayer2Response,
)
from powerauth_protocol.v3.ecdsa import der_to_jose, jose_to_der
from powerauth_protocol.v3.ecies import EciesRequest, EciesResponse, Scope
from powerauth_protocol.v3.http_headers import (
    parse_encryption_header,
    parse_signature_header,
    parse_token_header,
)
from powerauth_protocol.v3.keys import generate_key_pair, import_private_key, import_public_key
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion, signature_format_of

pytestmark = pytest.mark.fuzz
SCALE = max(1, int(os.environ.get("POWERAUTH_FUZZ_SCALE", "1")))
SIGNER = generate_key_pair()
V33 = ProtocolVersion.V3_3

TEXT_PARSERS: dict[str, Callable[[str], object]] = {
    "b64": encoding.b64decode,
    "b64url": encoding.b64url_decode,
    "json text": encoding.parse_json_object,
    "signature header": parse_signature_header,
    "token header": parse_token_header,
    "application header": lambda text: parse_encryption_header(text, Scope.APPLICATION),
    "activation header": lambda text: parse_encryption_header(text, Scope.ACTIVATION),
    "request token": temporary_key.parse_request_jwt,
    "response token": lambda text: temporary_key.verify_response_jwt(text, SIGNER.public),
    "offline payload": offline.parse_offline_payload,
    "qr": activation_code.parse_qr,
    "code": activation_code.validate,
    "typed code": activation_code.normalise_typed,
    "version": ProtocolVersion.parse,
    "format": signature_format_of,
    "signature type": SignatureType.parse,
    "query": request_data.canonical_query,
    "predecoded query": request_data.canonical_query_predecoded,
    "password hash": lambda text: password_hash.verify_password("1", text),
    "sdk config": MobileSdkConfig.parse,
}
BYTE_PARSERS: dict[str, Callable[[bytes], object]] = {
    "public key": import_public_key,
    "private key": import_private_key,
    "der": der_to_jose,
    "jose": jose_to_der,
    "json": encoding.parse_json_object,
    "layer 1 request": lambda data: ActivationLayer1Request.from_json(data, V33),
    "layer 1 response": lambda data: ActivationLayer1Response.from_json(data, V33),
    "layer 2 request": ActivationLayer2Request.from_json,
    "layer 2 response": ActivationLayer2Response.from_json,
    "sdk config": lambda data: MobileSdkConfig.parse(b64encode(data)),
}


def _only_protocol_errors(parser: Callable[[Any], object], value: Any) -> None:
    try:
        parser(value)
    except ProtocolError:
        return


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
names = st.sampled_from(
    [
        "type",
        "identityAttributes",
        "customAttributes",
        "activationData",
        "userInfo",
        "devicePublicKey",
        "activationOtp",
        "activationId",
        "serverPublicKey",
        "ctrData",
        "activationRecovery",
        "temporaryKeyId",
        "ephemeralPublicKey",
        "encryptedData",
        "mac",
        "nonce",
        "timestamp",
        "alg",
        "sub",
        "applicationKey",
        "publicKey",
        "iat_ms",
    ]
)
plausible = st.sampled_from(["CODE", "AAAA", "AAAAAAAAAAAAAAAAAAAAAA==", "HS256", "ES256", 1700000000000])
documents = st.dictionaries(
    names, plausible | anything | st.dictionaries(names, plausible, max_size=4), max_size=8
)


@pytest.mark.parametrize("name", sorted(TEXT_PARSERS))
@settings(max_examples=60 * SCALE, deadline=None)
@given(text=st.text(max_size=120))
@example(text="\ud800")
@example(text="\x00")
@example(text="[" * 100_000)
@example(text='{"a":' * 100_000)
@example(text="1" * 10_000)
@example(text='{"a":NaN}')
@example(text="%")
@example(text="a=%C5%")
@example(text="é=é")
def test_text_parsers(name: str, text: str) -> None:
    _only_protocol_errors(TEXT_PARSERS[name], text)


@pytest.mark.parametrize("name", sorted(BYTE_PARSERS))
@settings(max_examples=60 * SCALE, deadline=None)
@given(data=st.binary(max_size=120))
@example(data=b"\xff\xfe{}")
@example(data=b"[" * 100_000)
@example(data=b'{"a":' * 100_000)
@example(data=b'{"type":' + b"1" * 10_000 + b"}")
@example(data=b'{"type":"\\ud800"}')
@example(data=b"\x01\xc0\xff\xff\xff")
def test_byte_parsers(name: str, data: bytes) -> None:
    _only_protocol_errors(BYTE_PARSERS[name], data)


@settings(max_examples=150 * SCALE, deadline=None)
@given(document=documents)
def test_json_parsers(document: dict[str, Any]) -> None:
    data = json.dumps(document).encode()
    for name in ("layer 1 request", "layer 1 response", "layer 2 request", "layer 2 response"):
        _only_protocol_errors(BYTE_PARSERS[name], data)
    for version in ProtocolVersion:
        for envelope in (EciesRequest, EciesResponse):
            parser: Callable[[Any], object] = partial(envelope.from_json_dict, version=version)
            _only_protocol_errors(parser, document)


@settings(max_examples=60 * SCALE, deadline=None)
@given(value=anything)
def test_ecies_members_of_any_json_type(value: Any) -> None:
    with pytest.raises(ProtocolError):
        EciesRequest.from_json_dict(value, V33)
    with pytest.raises(ProtocolError):
        EciesResponse.from_json_dict(value, V33)


@settings(max_examples=100 * SCALE, deadline=None)
@given(header=documents | anything, claims=documents | anything, signature=st.binary(max_size=80))
def test_tokens_of_any_json(header: Any, claims: Any, signature: bytes) -> None:
    parts = [b64url_encode(json.dumps(part).encode()) for part in (header, claims)]
    text = ".".join([*parts, b64url_encode(signature)])
    for name in ("request token", "response token"):
        _only_protocol_errors(TEXT_PARSERS[name], text)


@settings(max_examples=100 * SCALE, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.sampled_from(["pa_nonce", "version", "token_id", "a"]), st.text(max_size=30)))
)
def test_headers_of_any_values(pairs: list[tuple[str, str]]) -> None:
    text = "PowerAuth " + ", ".join(f'{name}="{value}"' for name, value in pairs)
    for name in ("signature header", "token header", "application header", "activation header"):
        _only_protocol_errors(TEXT_PARSERS[name], text)


@settings(max_examples=100 * SCALE, deadline=None)
@given(
    parts=st.lists(st.text(max_size=12), min_size=5, max_size=9), nonce=st.binary(min_size=15, max_size=17)
)
def test_offline_payloads_of_any_lines(parts: list[str], nonce: bytes) -> None:
    text = "\n".join([*parts, b64encode(nonce), "1AAAA"])
    _only_protocol_errors(lambda value: offline.parse_offline_payload(value).verify(SIGNER.public), text)
