"""The self-check vectors of spec/protocol-v3.md §18."""

from __future__ import annotations

import pytest

from powerauth_protocol.common import kdf, request_data, totp
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3 import (
    activation_code,
    counter,
    ecies,
    keys,
    recovery,
    signature,
    status_blob,
    temporary_key,
    vault,
)
from powerauth_protocol.v3.fingerprint import activation_fingerprint
from powerauth_protocol.v3.keys import ActivationKeys, KeyPair, import_private_key
from powerauth_protocol.v3.token import token_digest
from powerauth_protocol.v3.versions import ProtocolVersion, SignatureFormat


def seq(start: int, length: int) -> bytes:
    return bytes(range(start, start + length))


def _pair(scalar: int) -> KeyPair:
    return KeyPair.of(import_private_key(scalar.to_bytes(32, "big")))


C0 = seq(0xA0, 16)
DEVICE = _pair(1111111111111111111)
SERVER = _pair(2222222222222222222)
EPHEMERAL = _pair(3333333333333333333)
ACTIVATION_ID = "01234567-89ab-4def-8123-456789abcdef"
TEMPORARY_KEY_ID = "89abcdef-0123-4567-89ab-cdef01234567"
APP_KEY = "UFFSU1RVVldYWVpbXF1eXw=="
APP_SECRET = "YGFiY2RlZmdoaWprbG1ubw=="


def test_kdf(master_secret_bytes: bytes) -> None:
    expected = {
        1: "7346139595c0b41e497bbde365f42d0a",
        2: "49d68753999ba68ce3897a686081b09d",
        3: "b9ad2b2e346ac238505d365e9cb7fc56",
        1000: "1cfea47ba82addf17521db83962ef39b",
        2000: "a85b33a998e79d9beb9652c9b23f7ae7",
    }
    assert {index: kdf.kdf(master_secret_bytes, index).hex() for index in expected} == expected


def test_kdf_internal(master_secret_bytes: bytes) -> None:
    assert kdf.kdf_internal(master_secret_bytes, seq(0x10, 16)).hex() == "262d06a59d98d6fe26a90b74df7dc4d3"


def test_x963(master_secret_bytes: bytes) -> None:
    assert kdf.x963(master_secret_bytes, b"info", 48).hex() == (
        "08b1bd2c1af6aac2408f70ae9a0029dc3cb612597a9f80f3530b810b72ee8c0e7a3147dd3711dcd72fd8e93c1d8fb0c1"
    )


def test_hash_counter() -> None:
    assert counter.next_counter(C0).hex() == "13c9b7262f3d67903058951911a0b111"
    assert counter.advance(C0, 2).hex() == "e4dc31ec6fcadbe4390a6c5494667f9b"


def test_activation_code() -> None:
    assert activation_code.crc16_arc(seq(0, 10)) == 0x4204
    assert activation_code.generate(seq(0, 10)) == "AAAQE-AYEAU-DAOCA-JIICA"


@pytest.mark.parametrize(
    "code",
    [
        "AAAAA-AAAAA-AAAAA-AAAAA",
        "MMMMM-MMMMM-MMMMM-MUTOA",
        "VVVVV-VVVVV-VVVVV-VTFVA",
        "55555-55555-55555-55YMA",
        "W65WE-3T7VI-7FBS2-A4OYA",
        "XHGSM-KYQDT-URE34-UZGWQ",
        "45AWJ-BVACS-SBWHS-ABANA",
    ],
)
def test_valid_activation_code_samples(code: str) -> None:
    assert activation_code.validate(code)


def test_crc_check_value() -> None:
    assert activation_code.crc16_arc(b"123456789") == 0xBB3D


def test_recovery_code() -> None:
    derived = recovery.derive(seq(0x40, 32), seq(0xC0, 32), [1, 0x0102030405060708])
    assert derived.code == "ZFHOE-PPWMO-ZICMP-FG64A"
    assert derived.puks == ("6337809564", "1217059248")


def test_ecdh_and_key_encodings() -> None:
    shared = keys.ecdh(DEVICE.private, SERVER.public)
    assert shared.hex() == "81dc189fec098c1eda8bc7a07e7079387d7f0f3fe29993fb7a1f5122c5802d05"
    assert keys.master_secret(SERVER.private, DEVICE.public).hex() == "fca317a00e901fe5a0949682bbf0543d"
    assert (
        b64encode(keys.compress_public_key(DEVICE.public)) == "AoJkmEltoZMFBGrnVVXsWA3wvqzFL4SJ4VRMJ0b++tOR"
    )
    assert (
        b64encode(keys.compress_public_key(SERVER.public)) == "AwiN8bJhMZ472XEMAZp0Pv1jSPQXTYtc1FOIpnqmKcIi"
    )


def test_fingerprint() -> None:
    assert activation_fingerprint(DEVICE.public, SERVER.public, ACTIVATION_ID) == "08854096"


def test_vault_wrapping(activation_keys: ActivationKeys) -> None:
    wrapped = vault.wrap_vault_key(activation_keys.transport, activation_keys.vault)
    assert b64encode(wrapped) == "NKCdfk0wSOU2U+22sIsl5F0oiXT5Q9PsuDGB+ajj93g="


@pytest.mark.parametrize(
    ("kind", "base64_code", "decimal_code"),
    [
        ("possession", "Vh+bVMhkXtXP4/NltwfGvA==", "23256508"),
        ("possession_knowledge", "Vh+bVMhkXtXP4/NltwfGvI44dsS9+9FOVukrT9Vbiag=", "23256508-32062376"),
        ("possession_biometry", "Vh+bVMhkXtXP4/NltwfGvJbKDFhzOJlbW50ONesq6UE=", "23256508-97974337"),
        (
            "possession_knowledge_biometry",
            "Vh+bVMhkXtXP4/NltwfGvI44dsS9+9FOVukrT9VbiaimIPY5R8EVW809VX7f+fFG",
            "23256508-32062376-10215750",
        ),
    ],
)
def test_authentication_code(
    activation_keys: ActivationKeys, kind: str, base64_code: str, decimal_code: str
) -> None:
    base = request_data.signature_base("POST", "/operation/authorize", seq(0x30, 16), b'{"hello":"world"}')
    data = request_data.normalized_data(base, APP_SECRET)
    assert data == (
        b"POST&L29wZXJhdGlvbi9hdXRob3JpemU=&MDEyMzQ1Njc4OTo7PD0+Pw==&eyJoZWxsbyI6IndvcmxkIn0=&"
        b"YGFiY2RlZmdoaWprbG1ubw=="
    )
    factor_keys = signature.signing_keys(activation_keys, signature.SignatureType(kind))
    assert signature.compute_signature(data, factor_keys, C0, SignatureFormat.BASE64) == base64_code
    assert signature.compute_signature(data, factor_keys, C0, SignatureFormat.DECIMAL) == decimal_code


@pytest.mark.parametrize(("length", "code"), [(8, "36102727-35939696"), (4, "2727-9696")])
def test_offline_authentication_code(activation_keys: ActivationKeys, length: int, code: str) -> None:
    base = request_data.signature_base(
        "POST", request_data.OFFLINE_RESOURCE_ID, seq(0x30, 16), b"op-1&A1*A100CZK"
    )
    data = request_data.normalized_data(base, request_data.OFFLINE_SECRET)
    kind = signature.SignatureType.POSSESSION_KNOWLEDGE
    factor_keys = signature.signing_keys(activation_keys, kind)
    assert signature.compute_signature(data, factor_keys, C0, SignatureFormat.DECIMAL, length) == code


@pytest.mark.parametrize(
    ("version", "digest"),
    [
        (ProtocolVersion.V3_1, "/gFNYO3EV7+jrjAjqSHDISod75TSPEic3r4iJkimUJU="),
        (ProtocolVersion.V3_3, "5KuQvdXA3AuXiSgLpzLh1liAPLmKtKx1zewKSNM/xJs="),
    ],
)
def test_token_digest(version: ProtocolVersion, digest: str) -> None:
    assert b64encode(token_digest(seq(0x70, 16), seq(0x30, 16), 1700000000000, version)) == digest


def test_status_blob(activation_keys: ActivationKeys) -> None:
    challenge, nonce = seq(0x80, 16), seq(0x90, 16)
    iv = status_blob.status_iv(activation_keys.transport, challenge, nonce)
    assert iv.hex() == "901aa272b381427d78bfc78d8c102a69"
    ctr_hash = counter.counter_hash(activation_keys.transport, C0)
    assert ctr_hash.hex() == "ed8be2c737404aa047cf7c7036f49ac4"
    blob = status_blob.StatusBlob(
        activation_status=3,
        ctr_byte=7,
        failed_attempts=1,
        max_failed_attempts=5,
        ctr_look_ahead=20,
        ctr_data_hash=ctr_hash,
        reserved=bytes(5),
    )
    assert blob.encode().hex() == "dec0ded1030303000000000007010514ed8be2c737404aa047cf7c7036f49ac4"
    encrypted = blob.encrypt(activation_keys.transport, challenge, nonce)
    assert b64encode(encrypted) == "/rx4vd0eSKj1bgW7OcHxxegMa+fSJTZrtbPeHTc8X18="


def test_totp() -> None:
    assert totp.totp(b"12345678901234567890123456789012", 59) == "46119246"
    assert totp.totp(b"12345678901234567890", 1682558789) == "01760428"


def test_temporary_key_signing_key(activation_keys: ActivationKeys) -> None:
    secret = b64decode(APP_SECRET)
    key = temporary_key.request_signing_key(Scope.ACTIVATION, secret, activation_keys.transport)
    assert key.hex() == "089777996dd02b2ca24163b98f4246c3"
    assert temporary_key.request_signing_key(Scope.APPLICATION, secret) == seq(0x60, 16)


ENVELOPES = {
    "3.0": (
        "1503f78a09df11c3d4a963bfa9220a4c4e4cbce137323eefde5f0efcea4b7fffba6739111cea56e9a324ea813bc1fc7a",
        ("2/kM8gr7ZpjVUS6Q8yD8cA==", "PRMZjJZa1+EoRT0LBYLo6CZ2OC6qikyEQZRnn7MdxuA="),
        ("f53xAavy4712QLl9G0vEYA==", "gUb8BnfCKp799CPOTN4hlKShB5Q9vH6W5DZr/dyug8w="),
    ),
    "3.1": (
        "1503f78a09df11c3d4a963bfa9220a4c4e4cbce137323eefde5f0efcea4b7fffba6739111cea56e9a324ea813bc1fc7a",
        ("eHiP7q30ILkRPYHrhvkg0Q==", "3Ui9CVRFZc+hFR6atqPe3hvXNgvNZer4oiFvdV976Bg="),
        ("0SrhvzJ3Iayp4Iy36/pv3w==", "7RR7QwE7i2NwPiajnwgFBderpRgfqfhclsf2ILkknyQ="),
    ),
    "3.2": (
        "22694fd737ff3a63eaab902ea8d737f25e2008360f6dc2a015f0d356269fda7288d5efb77de9e6060386ccde0e6238da",
        ("JDy3NG0fc20BepAZQ5OalQ==", "w//e+QkbzXGsjDCfVXMadFyZQyCjThinxuAdrzNcSOc="),
        ("PanrFsyGNIcfbA4Iic82rw==", "g54AVb+VzPcgP3Vh25Tu+87OanOsdkK9q9xSRRzta2k="),
    ),
    "3.3": (
        "785264d9e9b948cb40bec42891457f97b74d03099ecf945f0a47d0179f6f321a14fe154dd68084dd45b0342e30c7c6bc",
        ("Ki8vXoLhTgFnaqx9pyh1TA==", "nl8msSb5fE50gu1nxh7VMQlQ7jkvuJRWdJAh12+8lgw="),
        ("L1DM2f87s5BJuKjyD24DAA==", "Rxy7urtYaPAe8sQUQvbPibqtjSMSfx20W2dweW1aeKo="),
    ),
}


@pytest.mark.parametrize("text", sorted(ENVELOPES))
def test_ecies_envelope(activation_keys: ActivationKeys, text: str) -> None:
    version = ProtocolVersion.parse(text)
    envelope_key, request_expected, response_expected = ENVELOPES[text]
    context = ecies.EciesContext(
        version=version,
        scope=Scope.ACTIVATION,
        sh1=ecies.SharedInfo1.CREATE_TOKEN,
        application_key=APP_KEY,
        application_secret=APP_SECRET,
        activation_id=ACTIVATION_ID,
        temporary_key_id=TEMPORARY_KEY_ID if version.facts.temporary_keys else None,
    )
    base = ecies.shared_info2_base(Scope.ACTIVATION, APP_SECRET, activation_keys.transport)
    assert base.hex() == "8b70c7d03b012de79538dbf131ef12a63a26658c1818e5ec505c5ae632a0abcb"
    client = ecies.ClientEncryptor(context, SERVER.public, base)
    request = client.encrypt(
        b"{}",
        ephemeral=EPHEMERAL,
        nonce=seq(0x30, 16) if version.facts.request_nonce else None,
        timestamp=1700000000000 if version.facts.timestamp else None,
    )
    assert b64encode(request.ephemeral_public_key) == "AgiD/Mqi7LR2FBH6scDr6mcvbTdniXWdE1VJEZ6biqyB"
    assert (b64encode(request.encrypted_data), b64encode(request.mac)) == request_expected
    key = ecies.derive_envelope_key(SERVER.private, request.ephemeral_public_key, context.sh1, version)
    assert key.hex() == envelope_key
    plaintext, envelope = ecies.open_envelope(context, SERVER.private, base, request)
    assert plaintext == b"{}"
    response = envelope.encrypt(
        b'{"a":1}',
        nonce=seq(0xB0, 16) if version.facts.response_nonce else None,
        timestamp=1700000000005 if version.facts.timestamp else None,
    )
    assert (b64encode(response.encrypted_data), b64encode(response.mac)) == response_expected
    assert client.decrypt(response) == b'{"a":1}'


def test_ecies_application_scope_base_and_associated_data() -> None:
    base = ecies.shared_info2_base(Scope.APPLICATION, APP_SECRET)
    assert base.hex() == "ffeae708a29dc2bc96ddaa8cfec9cc5b56cd088ee4287e0d220405117dbb070f"
    context = ecies.EciesContext(
        version=ProtocolVersion.V3_3,
        scope=Scope.ACTIVATION,
        sh1=ecies.SharedInfo1.CREATE_TOKEN,
        application_key=APP_KEY,
        activation_id=ACTIVATION_ID,
        temporary_key_id=TEMPORARY_KEY_ID,
    )
    expected = (
        b"\0\0\0\x033.3\0\0\0\x18"
        + APP_KEY.encode()
        + b"\0\0\0\x24"
        + ACTIVATION_ID.encode()
        + b"\0\0\0\x24"
        + TEMPORARY_KEY_ID.encode()
    )
    assert len(expected) == 115
    assert context.associated_data() == expected
