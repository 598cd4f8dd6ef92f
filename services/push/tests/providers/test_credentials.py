"""Credentials of wrong shape are refused with the reason, and never shown (spec/push-api.md §17)."""

from __future__ import annotations

import itertools
import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from powerauth_cli.fakes.authority import Authority
from powerauth_push.providers.credentials import (
    ApnsCredentials,
    CredentialsRefused,
    apns_certificate,
    apns_key,
    fcm_account,
    hms_client,
)
from powerauth_push.providers.network import ClientCertificate

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
NOW = datetime.now(UTC).replace(tzinfo=None)
BUNDLE = "com.example.bank"
P256, RSA = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)


def pem(key: Key, encryption: KeySerializationEncryption | None = None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


def account(**changed: Any) -> bytes:
    members = {
        "type": "service_account",
        "project_id": "bank",
        "private_key_id": "k1",
        "private_key": pem(RSA).decode(),
        "client_email": "push@bank.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    return json.dumps({**members, **changed}).encode()


def test_good_ones_are_read_and_their_secrets_are_not_shown(tmp_path: Path) -> None:
    key, certificate = Authority(tmp_path).client(BUNDLE)
    store = pkcs12.serialize_key_and_certificates(
        b"push", key, certificate, None, BestAvailableEncryption(b"pw")
    )
    for made in (
        apns_key(BUNDLE, "TEAM123456", "KEY1234567", pem(P256)),
        apns_certificate(BUNDLE, store, "pw", NOW),
        apns_certificate(BUNDLE, pem(key) + certificate.public_bytes(Encoding.PEM), None, NOW),
        fcm_account("bank", account()),
        fcm_account("bank", account(token_uri="https://t"), any_token_url=True),
        hms_client("101", "102", "a-secret"),
    ):
        assert "secret" not in repr(made)
        assert "PRIVATE" not in repr(made)
        if isinstance(made, ApnsCredentials) and isinstance(made.by, ClientCertificate):
            assert made.by.chain == (certificate,)


@pytest.mark.parametrize(
    ("bundle", "team", "key_id", "key", "reason"),
    [
        ("", "TEAM123456", "KEY1234567", pem(P256), "bundle"),
        ("a\r\nb", "TEAM123456", "KEY1234567", pem(P256), "bundle"),
        (BUNDLE, "team", "KEY1234567", pem(P256), "team id"),
        (BUNDLE, "TEAM123456", "", pem(P256), "key id"),
        (BUNDLE, "TEAM123456", "KEY1234567", b"", "none in PEM form"),
        (BUNDLE, "TEAM123456", "KEY1234567", b"\xff" * 9999, "none in PEM form"),
        (BUNDLE, "TEAM123456", "KEY1234567", pem(P256)[:90], "none in PEM form"),
        (BUNDLE, "TEAM123456", "KEY1234567", pem(P256, BestAvailableEncryption(b"pw")), "password"),
        (BUNDLE, "TEAM123456", "KEY1234567", pem(ec.generate_private_key(ec.SECP384R1())), "P-256"),
        (BUNDLE, "TEAM123456", "KEY1234567", pem(RSA), "P-256"),
    ],
    # Keys are new in each process, and so would be the names of the tests.
    ids=itertools.count(),
)
def test_apns_keys(bundle: str, team: str, key_id: str, key: bytes, reason: str) -> None:
    with pytest.raises(CredentialsRefused, match=reason):
        apns_key(bundle, team, key_id, key)


def test_apns_certificates(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    key, good = authority.client(BUNDLE)
    other_key, other = authority.client("com.example.other")
    expired_key, expired = authority.client(BUNDLE, life=timedelta(hours=-1))

    def file(key: Key, *certificates: Any) -> bytes:
        return pem(key) + b"".join(one.public_bytes(Encoding.PEM) for one in certificates)

    cases: list[tuple[bytes, datetime, str]] = [
        (file(key, other), NOW, "does not belong"),
        (file(expired_key, expired), NOW, "expired"),
        (file(key, good), NOW - timedelta(days=9), "not valid yet"),
        (file(other_key, other), NOW, "another bundle"),
        (file(ed25519.Ed25519PrivateKey.generate(), good), NOW, "neither RSA"),
        (pem(key), NOW, "neither PEM nor PKCS#12"),
        (b"", NOW, "neither PEM nor PKCS#12"),
        (b"\x30\x82", NOW, "neither PEM nor PKCS#12"),
        (pkcs12.serialize_key_and_certificates(None, key, good, None, NoEncryption()), NOW, ""),
        (
            pkcs12.serialize_key_and_certificates(None, None, None, [good], NoEncryption()),
            NOW,
            "no private key",
        ),
    ]
    for store, now, reason in cases:
        if not reason:
            assert apns_certificate(BUNDLE, store, None, now).bundle == BUNDLE
            continue
        with pytest.raises(CredentialsRefused, match=reason):
            apns_certificate(BUNDLE, store, None, now)


@pytest.mark.parametrize(
    ("project", "file", "reason"),
    [
        ("", account(), "project id"),
        ("../bank", account(), "project id"),
        ("bank", b"", "no JSON object"),
        ("bank", b"[]", "no JSON object"),
        ("bank", account(type="authorized_user"), "service account"),
        ("bank", account(project_id="other"), "another project"),
        ("bank", account(client_email=None), "no client_email"),
        ("bank", account(private_key_id=7), "no private_key_id"),
        ("bank", account(private_key="x"), "none in PEM form"),
        ("bank", account(private_key=pem(P256).decode()), "RSA"),
        ("bank", account(private_key=pem(rsa.generate_private_key(65537, 1024)).decode()), "2048"),
        ("bank", account(token_uri="https://169.254.169.254/token"), "not Google's"),
        ("bank", account(token_uri="http://oauth2.googleapis.com/token"), "not Google's"),
        ("bank", account(token_uri="https://oauth2.googleapis.com.evil.example/token"), "not Google's"),
        ("bank", account(token_uri="https://oauth2.googleapis.com:99999/token"), "not Google's"),
    ],
)
def test_fcm_accounts(project: str, file: bytes, reason: str) -> None:
    with pytest.raises(CredentialsRefused, match=reason):
        fcm_account(project, file)


@pytest.mark.parametrize(
    "make",
    [
        lambda: hms_client("", "102", "s"),
        lambda: hms_client("1/2", "102", "s"),
        lambda: hms_client("101", "1 2", "s"),
        lambda: hms_client("101", "102", ""),
        lambda: hms_client("101", "102", "a\nb"),
    ],
)
def test_hms_clients(make: Callable[[], object]) -> None:
    with pytest.raises(CredentialsRefused):
        make()


@pytest.mark.parametrize(("rounds", "refused"), [(2_000, False), (1_000_000, True)])
def test_a_file_that_wants_too_much_work_is_refused_before_any_is_done(rounds: int, refused: bool) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .kdf_rounds(rounds)
        .build(b"pw")
    )
    store = pkcs12.serialize_key_and_certificates(b"a", key, None, None, encryption)
    with pytest.raises(CredentialsRefused) as why:
        apns_certificate("com.example", store, "pw", NOW)
    assert ("iterations" in str(why.value)) is refused


def test_rsa_keys_have_a_largest_size() -> None:
    # Numbers of a key that nobody has to make: it is not read at all.
    number = b"\x02\x82\x04\x01\x00" + b"\xff" * 1024
    body = b64encode(b"\x30\x82\x04\x08\x02\x01\x00" + number)
    file = b"-----BEGIN RSA PRIVATE KEY-----\n" + body + b"\n-----END RSA PRIVATE KEY-----\n"
    with pytest.raises(CredentialsRefused, match="of more than 4096 bits"):
        fcm_account("p", account(private_key=file.decode(), project_id="p"))
