"""HTTP headers: round trips, order of checks, nothing changed goes through (spec/protocol-v3.md §7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError, HeaderError
from powerauth_protocol.common.request_data import normalized_data, signature_base
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.generation import read_authorization, read_encryption, read_token
from powerauth_protocol.v3.http_headers import (
    EncryptionHeader,
    SignatureHeader,
    TokenHeader,
    parse_fields,
)
from powerauth_protocol.v3.keys import MasterSecret, derive_factor_keys
from powerauth_protocol.v3.signature import (
    SignatureType,
    compute_signature,
    signing_keys,
    verify_with_lookahead,
)
from powerauth_protocol.v3.token import token_digest, verify_token_digest
from powerauth_protocol.v3.versions import ProtocolVersion

UUID = "01234567-89ab-4def-8123-456789abcdef"
APP_KEY = "UFFSU1RVVldYWVpbXF1eXw=="
APP_SECRET = "YGFiY2RlZmdoaWprbG1ubw=="
KEYS = derive_factor_keys(MasterSecret(bytes(range(16))))
CTR = bytes(16)
KIND = SignatureType.POSSESSION_KNOWLEDGE

base64_16 = st.binary(min_size=16, max_size=16).map(b64encode)
base64_32 = st.binary(min_size=32, max_size=32).map(b64encode)
uuids = st.uuids(version=4).map(str)
versions = st.sampled_from([version.value for version in ProtocolVersion])
kinds = st.sampled_from([kind.value for kind in SignatureType])
codes = st.one_of(
    st.integers(1, 3).flatmap(lambda n: st.binary(min_size=16 * n, max_size=16 * n).map(b64encode)),
    st.lists(st.integers(0, 99999999), min_size=1, max_size=3).map(lambda v: "-".join(f"{n:08d}" for n in v)),
)


@settings(max_examples=50, deadline=None)
@given(st.builds(SignatureHeader, uuids, base64_16, base64_16, kinds, codes, versions))
def test_a_built_signature_header_parses_back(header: SignatureHeader) -> None:
    assert read_authorization(parse_fields(header.build())) == header


@settings(max_examples=50, deadline=None)
@given(st.builds(TokenHeader, uuids, base64_32, base64_16, st.integers(10**8, 10**15 - 1).map(str), versions))
def test_a_built_token_header_parses_back(header: TokenHeader) -> None:
    assert read_token(parse_fields(header.build())) == header


@settings(max_examples=50, deadline=None)
@given(st.builds(EncryptionHeader, base64_16, st.none() | uuids, versions))
def test_a_built_encryption_header_parses_back(header: EncryptionHeader) -> None:
    scope = Scope.APPLICATION if header.activation_id is None else Scope.ACTIVATION
    assert read_encryption(parse_fields(header.build()), scope) == header


def _signed_header() -> SignatureHeader:
    nonce = bytes(range(16))
    data = normalized_data(signature_base("POST", "/pa/x", nonce, b"{}"), APP_SECRET)
    version = ProtocolVersion.V3_3
    code = compute_signature(data, signing_keys(KEYS, KIND), CTR, version.facts.signature_format)
    return SignatureHeader(UUID, APP_KEY, b64encode(nonce), KIND.value, code, version.value)


def _accepts(text: str) -> bool:
    """A server that knows one activation, one application key and the data of one request."""
    try:
        header = read_authorization(parse_fields(text))
    except HeaderError:
        return False
    if header.activation_id != UUID or header.application_key != APP_KEY:
        return False
    data = normalized_data(signature_base("POST", "/pa/x", b64decode(header.nonce), b"{}"), APP_SECRET)
    types = [SignatureType.parse(header.signature_type)]
    fmt = ProtocolVersion.parse(header.version).facts.signature_format
    return verify_with_lookahead([data], header.signature, types, KEYS, CTR, 1, fmt) is not None


def test_every_flipped_bit_of_a_signature_header_is_refused_or_without_meaning(
    bit_flips: Callable[[bytes], Iterator[bytes]],
) -> None:
    header = _signed_header()
    text = header.build()
    assert _accepts(text)
    meaning = {**asdict(header), "version": ProtocolVersion.parse(header.version).facts.signature_format}
    for changed in bit_flips(text.encode()):
        candidate = changed.decode("latin-1")
        if not _accepts(candidate):
            continue
        # What still passes says the same: another separator, other case of the type, another version with the
        # same format of codes.
        parsed = asdict(read_authorization(parse_fields(candidate)))
        parsed["signature_type"] = parsed["signature_type"].lower()
        parsed["version"] = ProtocolVersion.parse(parsed["version"]).facts.signature_format
        assert parsed == meaning


def test_every_flipped_bit_of_a_token_header_is_refused_or_without_meaning(
    bit_flips: Callable[[bytes], Iterator[bytes]],
) -> None:
    secret, nonce, moment = bytes(range(16)), bytes(16), 1700000000000
    digest = token_digest(secret, nonce, moment, ProtocolVersion.V3_3)
    header = TokenHeader(UUID, b64encode(digest), b64encode(nonce), str(moment), "3.3")
    for changed in bit_flips(header.build().encode()):
        try:
            parsed = read_token(parse_fields(changed.decode("latin-1")))
        except HeaderError:
            continue
        valid = parsed.token_id == UUID and verify_token_digest(
            b64decode(parsed.token_digest),
            secret,
            b64decode(parsed.nonce),
            int(parsed.timestamp),
            ProtocolVersion.parse(parsed.version),
        )
        assert not valid or parsed == header


SIGNATURE_ORDER = [
    ("activation_id", "pa_activation_id", "POWER_AUTH_ACTIVATION_ID"),
    ("nonce", "pa_nonce", "POWER_AUTH_NONCE"),
    ("signature_type", "pa_signature_type", "POWER_AUTH_SIGNATURE_TYPE"),
    ("signature", "pa_signature", "POWER_AUTH_SIGNATURE"),
    ("application_key", "pa_application_key", "POWER_AUTH_APPLICATION"),
    ("version", "pa_version", "POWER_AUTH_SIGNATURE_VERSION"),
]


@pytest.mark.parametrize("first", range(len(SIGNATURE_ORDER)))
def test_the_first_failed_check_of_a_signature_header_is_named(first: int) -> None:
    fields = asdict(_signed_header())
    for name, _, _ in SIGNATURE_ORDER[first:]:
        fields[name] = "?"
    _, wire_name, code = SIGNATURE_ORDER[first]
    with pytest.raises(HeaderError) as caught:
        read_authorization(parse_fields(SignatureHeader(**fields).build()))
    assert (caught.value.field, caught.value.code) == (wire_name, f"{code}_INVALID")


def test_missing_fields_of_a_token_header_are_named_in_order() -> None:
    pairs = {
        "token_id": UUID,
        "token_digest": b64encode(bytes(32)),
        "nonce": b64encode(bytes(16)),
        "timestamp": "1700000000000",
        "version": "3.3",
    }
    for name in pairs:
        present = ", ".join(f'{key}="{value}"' for key, value in pairs.items() if key != name)
        with pytest.raises(HeaderError) as caught:
            read_token(parse_fields(f"PowerAuth {present}"))
        assert caught.value.code == f"POWER_AUTH_TOKEN_{name.upper().removeprefix('TOKEN_')}_EMPTY"


def test_an_activation_id_in_application_scope_is_refused_even_if_empty() -> None:
    text = f'PowerAuth application_key="{APP_KEY}", activation_id="", version="3.3"'
    with pytest.raises(HeaderError) as caught:
        read_encryption(parse_fields(text), Scope.APPLICATION)
    assert caught.value.code == "POWER_AUTH_ENCRYPTION_ACTIVATION_ID_NOT_EXPECTED"


def test_unquoted_values_up_to_white_space_are_tolerated() -> None:
    assert parse_fields('PowerAuth a=1 b="2"') == {"a": "1", "b": "2"}


@pytest.mark.parametrize("text", [None, "", "Bearer x", "PowerAuth", 'PowerAuth\ta="1"', "PowerAuth a="])
def test_without_prefix_or_pairs_all_fields_are_missing(text: str | None) -> None:
    assert parse_fields(text) == {}


def test_upper_case_of_letters_outside_ascii_is_no_signature_type() -> None:
    fields = {**asdict(_signed_header()), "signature_type": "possession_\u212anowledge"}
    with pytest.raises(HeaderError):
        read_authorization(parse_fields(SignatureHeader(**fields).build()))


@pytest.mark.parametrize("digits", ["١٧٠٠٠٠٠٠٠٠٠٠٠", "1700000000000\n", " 1700000000000"])  # noqa: RUF001
def test_timestamps_are_ascii_digits(digits: str) -> None:
    text = f'PowerAuth token_id="{UUID}", token_digest="{b64encode(bytes(32))}", '
    text += f'nonce="{b64encode(bytes(16))}", timestamp="{digits}", version="3.3"'
    with pytest.raises(HeaderError):
        read_token(parse_fields(text))


@pytest.mark.parametrize("value", ['a"b', "a\nb", "a\rb", "\x00"])
def test_values_that_break_out_of_a_header_are_not_built(value: str) -> None:
    with pytest.raises(EncodingError):
        EncryptionHeader(value, None, "3.3").build()
