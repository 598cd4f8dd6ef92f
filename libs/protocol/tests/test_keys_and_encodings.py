"""Keys, derivations and encodings (spec/protocol-v3.md §0, §1)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from hypothesis import given, settings
from hypothesis import strategies as st

from powerauth_protocol.common import aes, kdf
from powerauth_protocol.common.encoding import (
    b64decode,
    b64encode,
    b64url_decode,
    b64url_encode,
    concat,
    concat_strings,
    concat_with_sizes,
)
from powerauth_protocol.common.errors import DecryptionError, EncodingError, KeyFormatError, VersionError
from powerauth_protocol.v3 import ecdsa, keys
from powerauth_protocol.v3.ecdsa import EcdsaFormat
from powerauth_protocol.v3.keys import MasterSecret
from powerauth_protocol.v3.versions import ProtocolVersion, SignatureFormat, signature_format_of

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
scalars = st.integers(1, ORDER - 1)
PAIR = keys.generate_key_pair()


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60))
def test_base64_round_trips(data: bytes) -> None:
    assert b64decode(b64encode(data)) == data
    assert b64url_decode(b64url_encode(data)) == data


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=40), st.data())
def test_one_text_only_for_one_value(data: bytes, draw: st.DataObject) -> None:
    text = b64encode(data)
    place = draw.draw(st.integers(0, len(text)))
    extra = draw.draw(st.sampled_from([" ", "\n", "=", "-", "_", "!", "\u00e9"]))
    for changed in (text[:place] + extra + text[place:], text.rstrip("="), text + "="):
        if changed != text:
            with pytest.raises(EncodingError):
                b64decode(changed)


@pytest.mark.parametrize("text", ["AB==", "AAB=", "A", "AA", "AAA", "====", "AA==AA==", "AA-_"])
def test_not_canonical_base64_is_refused(text: str) -> None:
    with pytest.raises(EncodingError):
        b64decode(text)


@pytest.mark.parametrize("text", ["AB", "AAB", "A", "AA==", "AA+/", "AA\n", " AA", "\u00e9A"])
def test_not_canonical_base64url_is_refused(text: str) -> None:
    with pytest.raises(EncodingError):
        b64url_decode(text)


def test_a_required_length_is_enforced() -> None:
    assert b64decode("AAAA", 3) == bytes(3)
    with pytest.raises(EncodingError):
        b64decode("AAAA", 4)


def test_concatenations() -> None:
    assert concat(b"a", None, b"", b"b") == b"ab"
    assert concat_with_sizes(b"a", None, b"") == b"\0\0\0\1a" + bytes(8)
    assert concat_strings("é", "") == b"\0\0\0\2\xc3\xa9" + bytes(4)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=8), max_size=4), st.lists(st.binary(max_size=8), max_size=4))
def test_sizes_make_concatenation_injective(first: list[bytes], second: list[bytes]) -> None:
    assert (concat_with_sizes(*first) == concat_with_sizes(*second)) == (first == second)


@settings(max_examples=40, deadline=None)
@given(scalars)
def test_private_keys_round_trip_in_both_forms(scalar: int) -> None:
    private = keys.import_private_key(scalar.to_bytes(32, "big"))
    encoded = keys.export_private_key(private)
    assert int.from_bytes(encoded, "big", signed=True) == scalar
    assert len(encoded) == 1 or encoded[0] or encoded[1] & 0x80
    assert keys.import_private_key(encoded).private_numbers().private_value == scalar


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\0",
        bytes(32),
        bytes(34),
        ORDER.to_bytes(32, "big"),
        (ORDER + 1).to_bytes(33, "big"),
        b"\1" + bytes(32),
    ],
)
def test_private_keys_out_of_range_are_refused(encoded: bytes) -> None:
    with pytest.raises(KeyFormatError):
        keys.import_private_key(encoded)


@settings(max_examples=30, deadline=None)
@given(scalars)
def test_public_keys_round_trip_in_both_forms(scalar: int) -> None:
    public = keys.import_private_key(scalar.to_bytes(32, "big")).public_key()
    assert keys.import_public_key(keys.export_public_key(public)) == public
    assert keys.import_public_key(keys.compress_public_key(public)) == public


def test_every_flipped_bit_of_an_uncompressed_point_is_refused(
    bit_flips: Callable[[bytes], Iterator[bytes]],
) -> None:
    for changed in bit_flips(keys.export_public_key(PAIR.public)):
        with pytest.raises(KeyFormatError):
            keys.import_public_key(changed)


def test_every_flipped_bit_of_a_compressed_point_is_refused_or_another_point(
    bit_flips: Callable[[bytes], Iterator[bytes]],
) -> None:
    for changed in bit_flips(keys.compress_public_key(PAIR.public)):
        try:
            other = keys.import_public_key(changed)
        except KeyFormatError:
            continue
        assert other != PAIR.public


@pytest.mark.parametrize(
    "encoded", [b"", b"\0", b"\x04", b"\x02" + bytes(31), b"\x04" + bytes(65), bytes(65)]
)
def test_points_of_another_form_are_refused(encoded: bytes) -> None:
    with pytest.raises(KeyFormatError):
        keys.import_public_key(encoded)


def test_hybrid_points_are_refused() -> None:
    point = keys.export_public_key(PAIR.public)
    with pytest.raises(KeyFormatError):
        keys.import_public_key(bytes([6 | (point[64] & 1)]) + point[1:])


def test_keys_of_another_curve_are_refused() -> None:
    other = ec.generate_private_key(ec.SECP384R1())
    with pytest.raises(KeyFormatError):
        keys.ecdh(PAIR.private, other.public_key())


@settings(max_examples=20, deadline=None)
@given(scalars, scalars)
def test_both_sides_derive_the_same_keys(first: int, second: int) -> None:
    a, b = (keys.KeyPair.of(keys.import_private_key(s.to_bytes(32, "big"))) for s in (first, second))
    assert keys.master_secret(a.private, b.public) == keys.master_secret(b.private, a.public)
    derived = keys.derive_factor_keys(keys.master_secret(a.private, b.public))
    assert derived == keys.derive_factor_keys(keys.master_secret(b.private, a.public))


def test_private_keys_do_not_show_in_representations() -> None:
    assert "private" not in repr(PAIR)


@pytest.mark.parametrize("length", [0, 15, 17, 32])
def test_symmetric_keys_have_sixteen_bytes(length: int) -> None:
    key = bytes(length)
    with pytest.raises(KeyFormatError):
        kdf.kdf(key, 1)
    with pytest.raises(KeyFormatError):
        kdf.kdf_bytes(key, b"")
    with pytest.raises(KeyFormatError):
        keys.derive_factor_keys(MasterSecret(key))
    with pytest.raises(KeyFormatError):
        aes.encrypt_cbc(key, bytes(16), b"")
    with pytest.raises(KeyFormatError):
        aes.decrypt_cbc(key, bytes(16), bytes(16))


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=16, max_size=16), st.integers(-(1 << 63), (1 << 64) - 1))
def test_the_index_fills_the_last_eight_bytes_of_a_block(key: bytes, index: int) -> None:
    block = bytes(8) + (index % (1 << 64)).to_bytes(8, "big")
    assert kdf.kdf(key, index) == kdf.kdf_bytes(key, block)
    assert kdf.kdf_many(key, (index, 1)) == (kdf.kdf(key, index), kdf.kdf(key, 1))


@pytest.mark.parametrize("index", [1 << 64, -(1 << 63) - 1])
def test_an_index_has_64_bits(index: int) -> None:
    with pytest.raises(EncodingError):
        kdf.kdf(bytes(16), index)


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=16, max_size=16), st.binary(max_size=40))
def test_an_index_of_any_length_is_padded(key: bytes, index: bytes) -> None:
    assert kdf.kdf_bytes(key, index) == aes.encrypt_cbc(key, bytes(16), index)[:16]


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=1, max_size=40), st.binary(max_size=40), st.integers(1, 200))
def test_x963_agrees_with_another_implementation(secret: bytes, info: bytes, length: int) -> None:
    expected = X963KDF(hashes.SHA256(), length, info).derive(secret)
    assert kdf.x963(secret, info, length) == expected


def test_parameters_of_derivations_are_checked() -> None:
    with pytest.raises(EncodingError):
        kdf.x963(b"", b"", -1)
    with pytest.raises(EncodingError):
        kdf.pbkdf2("1234", bytes(16), 0)
    with pytest.raises(EncodingError):
        kdf.pbkdf2("\ud800", bytes(16), 1)
    with pytest.raises(EncodingError):
        kdf.fold(bytes(31))


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16), st.binary(max_size=80))
def test_aes_round_trips(key: bytes, iv: bytes, data: bytes) -> None:
    ciphertext = aes.encrypt_cbc(key, iv, data)
    assert len(ciphertext) == len(data) // 16 * 16 + 16
    assert aes.decrypt_cbc(key, iv, ciphertext) == data


@pytest.mark.parametrize("length", [0, 1, 15, 17])
def test_ciphertext_that_is_no_whole_block_is_refused(length: int) -> None:
    with pytest.raises(DecryptionError):
        aes.decrypt_cbc(bytes(16), bytes(16), bytes(length))


@pytest.mark.parametrize("padding", [b"\x00", b"\x11", b"\x02", b"\xff"])
def test_wrong_padding_is_refused(padding: bytes) -> None:
    ciphertext = aes.encrypt_cbc_unpadded(bytes(16), bytes(16), bytes(15) + padding)
    with pytest.raises(DecryptionError):
        aes.decrypt_cbc(bytes(16), bytes(16), ciphertext)


def test_vectors_and_blocks_of_other_lengths_are_refused() -> None:
    for iv, data in ((bytes(15), bytes(16)), (bytes(16), bytes(15))):
        with pytest.raises(EncodingError):
            aes.encrypt_cbc_unpadded(bytes(16), iv, data)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=80), st.sampled_from(EcdsaFormat))
def test_signatures_round_trip_in_both_formats(data: bytes, fmt: EcdsaFormat) -> None:
    der = ecdsa.sign(PAIR.private, data)
    jose = ecdsa.der_to_jose(der)
    assert len(jose) == 64
    assert ecdsa.jose_to_der(jose) == der
    assert ecdsa.verify(PAIR.public, data, der if fmt is EcdsaFormat.DER else jose, fmt)
    assert not ecdsa.verify(PAIR.public, data + b"x", der)
    assert not ecdsa.verify(PAIR.public, data, jose)
    assert not ecdsa.verify(PAIR.public, data, der, EcdsaFormat.JOSE)


@pytest.mark.parametrize("fmt", list(EcdsaFormat))
def test_every_flipped_bit_of_a_signature_is_refused(
    fmt: EcdsaFormat, bit_flips: Callable[[bytes], Iterator[bytes]]
) -> None:
    der = ecdsa.sign(PAIR.private, b"data")
    for changed in bit_flips(der if fmt is EcdsaFormat.DER else ecdsa.der_to_jose(der)):
        assert not ecdsa.verify(PAIR.public, b"data", changed, fmt)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80), st.sampled_from(EcdsaFormat))
def test_arbitrary_signatures_are_refused_without_an_error(signature: bytes, fmt: EcdsaFormat) -> None:
    assert not ecdsa.verify(PAIR.public, b"data", signature, fmt)


def test_versions_are_the_four_and_exact() -> None:
    assert [version.value for version in ProtocolVersion] == ["3.0", "3.1", "3.2", "3.3"]
    for text in (None, "", "3", "3.4", "2.1", " 3.3", "3.3 ", "03.3", "3.30", "\u0663.\u0663"):
        with pytest.raises(VersionError):
            ProtocolVersion.parse(text)


def test_formats_of_texts_that_are_no_later_version() -> None:
    assert signature_format_of("3.0") is SignatureFormat.DECIMAL
    assert signature_format_of("4.0") is SignatureFormat.BASE64
    for text in (None, "", "3.10", "2.9", "-4", "4e1", "4.", ".4", "\u0664", "NaN", "9" * 50):
        with pytest.raises(VersionError):
            signature_format_of(text)


def test_base64_agrees_with_the_standard_library() -> None:
    assert b64encode(bytes(range(256))) == base64.b64encode(bytes(range(256))).decode()
