"""Credentials as administrators upload them."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

BUNDLE, KEY_ID, TEAM_ID, PROJECT = "com.bank.app", "KEY4567890", "TEAM567890", "bank-project"


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> bytes:
    """PKCS#8."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def encoded(file: bytes) -> str:
    """As uploaded."""
    return base64.b64encode(file).decode()


@cache
def p8(curve: str = "secp256r1") -> bytes:
    """A key of Apple."""
    return pem(ec.generate_private_key({"secp256r1": ec.SECP256R1(), "secp384r1": ec.SECP384R1()}[curve]))


@cache
def account(project: str = PROJECT, token_uri: str = "https://oauth2.googleapis.com/token") -> bytes:
    """A service account of Google."""
    key = rsa.generate_private_key(65537, 2048)
    members = {
        "type": "service_account",
        "project_id": project,
        "private_key_id": "1",
        "private_key": pem(key).decode(),
        "client_email": f"push@{project}.iam.gserviceaccount.com",
        "token_uri": token_uri,
    }
    return json.dumps(members).encode()


def certificate(bundle: str = BUNDLE, team: str = TEAM_ID, days: int = 1) -> bytes:
    """A certificate of Apple with its key, in one PEM file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.USER_ID, bundle),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, team),
        ]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
        .sign(key, SHA256())
    )
    return pem(key) + made.public_bytes(Encoding.PEM)


def apns(file: bytes | None = None, **changed: Any) -> dict[str, Any]:
    """The request that sets credentials at Apple."""
    request = {
        "appId": "app-1",
        "bundle": BUNDLE,
        "keyId": KEY_ID,
        "teamId": TEAM_ID,
        "environment": "production",
        "privateKeyBase64": encoded(file or p8()),
    }
    return request | changed


def fcm(file: bytes | None = None, **changed: Any) -> dict[str, Any]:
    """The request that sets credentials at Google."""
    return {"appId": "app-1", "projectId": PROJECT, "privateKeyBase64": encoded(file or account())} | changed


def hms(**changed: Any) -> dict[str, Any]:
    """The request that sets credentials at Huawei."""
    return {
        "appId": "app-1",
        "projectId": "123",
        "clientId": "456",
        "clientSecret": "s3cret-of-hms",
    } | changed
