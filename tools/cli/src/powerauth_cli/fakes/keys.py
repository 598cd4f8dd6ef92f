"""The keys whose credentials the fake providers accept."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from servicekit.private_files import write_private

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class FakeKeys:
    """
    :ivar apns: Apple's `.p8` file
    :ivar account: of Google's service account
    """

    apns: ec.EllipticCurvePrivateKey = field(repr=False)
    account: rsa.RSAPrivateKey = field(repr=False)

    @classmethod
    def made(cls) -> FakeKeys:
        """New ones."""
        return cls(ec.generate_private_key(ec.SECP256R1()), _account_key())

    @classmethod
    def kept(cls, path: Path) -> FakeKeys:
        """Those of a file, which is made if there is none: stored credentials outlive the servers.

        :raises ValueError: the file is damaged
        """
        if not path.exists():
            made = cls.made()
            write_private(
                path, json.dumps({"apns": pem(made.apns).decode(), "fcm": pem(made.account).decode()})
            )
            return made
        content = json.loads(path.read_text())
        # That its factors are prime was seen to when it was made, and costs more than all else here.
        apns, account = (
            load_pem_private_key(content[name].encode(), None, unsafe_skip_rsa_key_validation=True)
            for name in ("apns", "fcm")
        )
        if not isinstance(apns, ec.EllipticCurvePrivateKey) or not isinstance(account, rsa.RSAPrivateKey):
            raise ValueError(f"{path}: other keys")
        return cls(apns, account)


def pem(key: PrivateKey) -> bytes:
    """A key as providers hand it out."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(key: PublicKey) -> bytes:
    """What a signature is checked with."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@cache
def _account_key() -> rsa.RSAPrivateKey:
    """Making one takes a tenth of a second; one serves a process."""
    return rsa.generate_private_key(65537, 2048)
