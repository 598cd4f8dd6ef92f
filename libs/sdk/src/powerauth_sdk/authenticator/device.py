"""The authenticator and the browser before it, in one."""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum
from typing import Any, Final

from fido2 import cbor
from fido2.cose import CoseKey

from powerauth_protocol.common.encoding import b64url_decode, b64url_encode
from powerauth_sdk.authenticator import keys, statements
from powerauth_sdk.authenticator.keys import PrivateKey
from powerauth_sdk.authenticator.makers import Maker
from powerauth_sdk.authenticator.responses import AssertionResponse, RegistrationResponse
from powerauth_sdk.authenticator.statements import Format, Shape, Subject
from powerauth_sdk.errors import NoPasskey


class Flags(IntFlag):
    """Flags of authenticator data; AT is set at registration, ED with extensions."""

    UP = 0x01
    UV = 0x04
    BE = 0x08
    BS = 0x10
    AT = 0x40
    ED = 0x80


TEST_MODEL: Final = uuid.UUID("8f3a1c52-6d0e-4b7a-9c11-2e5d7f90a1b3")
DEVICE_BOUND = Flags.UP | Flags.UV
SYNCED = Flags.UP | Flags.UV | Flags.BE | Flags.BS


class Counter(StrEnum):
    """How the signature counter moves: never (as synced passkeys), up, or stuck where it is."""

    ZERO = "zero"
    RISING = "rising"
    FROZEN = "frozen"


@dataclass(slots=True)
class Passkey:
    """One credential.

    :ivar user_handle: as the server named the user, 1 to 64 bytes
    """

    id: bytes
    key: PrivateKey
    rp_id: str
    user_handle: bytes
    counter: int = 0

    def to_json(self) -> dict[str, Any]:
        """What a file keeps, the private key with it."""
        return {
            "id": b64url_encode(self.id),
            "key": b64url_encode(keys.private_bytes(self.key)),
            "rpId": self.rp_id,
            "userHandle": b64url_encode(self.user_handle),
            "counter": self.counter,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Passkey:
        """As it was kept."""
        return cls(
            b64url_decode(kept["id"]),
            keys.private_key(b64url_decode(kept["key"])),
            kept["rpId"],
            b64url_decode(kept["userHandle"]),
            kept["counter"],
        )


@dataclass(slots=True, kw_only=True)
class Authenticator:
    """A model of authenticators and the passkeys in one of them. What it is told to do wrong, it does.

    :ivar aaguid: what it claims to be
    :ivar fmt: which statement it makes, whatever was asked for
    :ivar algorithm: COSE identifier: -7, -257 or -8
    :ivar flags: UP, UV, BE, BS as it sets them
    :ivar extensions: of authenticator data; not None sets ED
    :ivar maker: whose roots its statements lead to
    """

    aaguid: uuid.UUID = TEST_MODEL
    fmt: Format = Format.NONE
    algorithm: int = -7
    flags: Flags = DEVICE_BOUND
    counter: Counter = Counter.RISING
    extensions: dict[str, Any] | None = None
    shape: Shape = field(default_factory=Shape)
    maker: Maker = field(default_factory=Maker)
    passkeys: list[Passkey] = field(default_factory=list)

    def register(
        self, rp_id: str, origin: str, challenge: bytes, user_handle: bytes = b"user", **client: object
    ) -> RegistrationResponse:
        """Make a passkey.

        :param challenge: its bytes
        :param client: further members of the client data, ``crossOrigin`` and ``topOrigin`` among them
        """
        key = keys.generate(self.algorithm)
        passkey = Passkey(secrets.token_bytes(32), key, rp_id, user_handle)
        client_data = _client_data("webauthn.create", challenge, origin, client)
        cose = CoseKey.for_alg(self.algorithm).from_cryptography_key(passkey.key.public_key())
        size = len(passkey.id).to_bytes(2, "big")
        credential = self.aaguid.bytes + size + passkey.id + cbor.encode(cose)
        data = self._data(passkey, credential)
        digest = hashlib.sha256(client_data).digest()
        subject = Subject(key, self.algorithm, self.aaguid.bytes, passkey.id, data, digest)
        fmt, statement = statements.make(self.fmt, subject, self.maker, self.shape)
        self.passkeys.append(passkey)
        encoded = cbor.encode({"fmt": fmt, "attStmt": statement, "authData": data})
        return RegistrationResponse(passkey.id, client_data, encoded)

    def sign_in(
        self,
        rp_id: str,
        origin: str,
        challenge: bytes,
        credential_id: bytes | None = None,
        **client: object,
    ) -> AssertionResponse:
        """Sign with a passkey.

        :param credential_id: None: the last passkey of the RP, which then names its user
        :raises NoPasskey: there is none
        """
        passkey = self._find(rp_id, credential_id)
        if self.counter is Counter.RISING:
            passkey.counter += 1
        client_data = _client_data("webauthn.get", challenge, origin, client)
        data = self._data(passkey, b"")
        signature = keys.sign(passkey.key, data + hashlib.sha256(client_data).digest())
        handle = passkey.user_handle if credential_id is None else None
        return AssertionResponse(passkey.id, client_data, data, signature, handle)

    def clone(self) -> Authenticator:
        """A copy with the same keys and the counters of this moment."""
        return Authenticator(
            aaguid=self.aaguid,
            fmt=self.fmt,
            algorithm=self.algorithm,
            flags=self.flags,
            counter=self.counter,
            extensions=deepcopy(self.extensions),
            shape=self.shape,
            maker=self.maker,
            passkeys=[
                Passkey(each.id, each.key, each.rp_id, each.user_handle, each.counter)
                for each in self.passkeys
            ],
        )

    def _find(self, rp_id: str, credential_id: bytes | None) -> Passkey:
        for passkey in reversed(self.passkeys):
            if passkey.rp_id == rp_id and credential_id in (None, passkey.id):
                return passkey
        raise NoPasskey(rp_id)

    def _data(self, passkey: Passkey, credential: bytes) -> bytes:
        flags = self.flags | (Flags.AT if credential else Flags(0))
        extensions = b""
        if self.extensions is not None:
            flags, extensions = flags | Flags.ED, cbor.encode(self.extensions)
        head = hashlib.sha256(passkey.rp_id.encode()).digest() + bytes([flags])
        return head + passkey.counter.to_bytes(4, "big") + credential + extensions


def _client_data(type_: str, challenge: bytes, origin: str, further: dict[str, object]) -> bytes:
    members = {"type": type_, "challenge": b64url_encode(challenge), "origin": origin, "crossOrigin": False}
    return json.dumps(members | further, separators=(",", ":")).encode()
