"""Whoever holds the DMZ host: everything that passed it is tried as key, as secret and as base of MACs.

He knows the protocol and what is public: the application secret, which every app holds, and public keys. He
knows no secret of a phone or of the core, unless it stands in what he has seen.
"""

from __future__ import annotations

import hmac
import json
import os
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

from powerauth_protocol.common.errors import KeyFormatError
from powerauth_protocol.v3 import ecies
from powerauth_protocol.v3.ecies import EciesContext, EciesRequest, EnvelopeKey, SharedInfo1
from powerauth_protocol.v3.ecies_derivation import derive_envelope_key, envelope_key_of
from powerauth_protocol.v3.keys import PrivateKey, PublicKey, export_public_key, import_private_key
from powerauth_protocol.v3.versions import ProtocolVersion
from servicekit import clock

BLOCK, SECRET, ENVELOPE_KEY = 16, 32, 48
_LONGEST = 1024
_QUOTED = re.compile(r'"([^"]*)"')
_CIPHERTEXT = "encryptedData"


@dataclass
class Loot:
    """Everything that passed, as JSON documents; ciphertexts are tried whole, all else in every part too."""

    documents: list[Any] = field(default_factory=list)

    def add(self, *documents: Any) -> None:
        """Keep what passed."""
        self.documents.extend(documents)

    def values(self) -> set[bytes]:
        """Every byte string, also those inside Base64, JSON and tokens."""
        return {value for _, value in _values(self.documents)}

    def parts(self, length: int) -> set[bytes]:
        """Every run of so many bytes."""
        found: set[bytes] = set()
        for name, value in _values(self.documents):
            last = 0 if name == _CIPHERTEXT else len(value) - length
            found |= {value[at : at + length] for at in range(last + 1) if at + length <= len(value)}
        return found

    def bases(self, application_secret: str) -> set[bytes]:
        """Every run as base of a MAC, and as a transport key that a base is derived from."""
        secret = application_secret.encode()
        derived = {hmac.digest(part, secret, "sha256") for part in self.parts(BLOCK)}
        return self.parts(SECRET) | derived


@dataclass(frozen=True)
class Envelope:
    """An encrypted message; its path tells its purpose.

    :ivar point: that its key was agreed with; an answer's is its request's
    :ivar public_keys: that it may be encrypted for
    """

    ciphertext: bytes = field(repr=False)
    point: bytes | None
    purpose: SharedInfo1
    version: ProtocolVersion
    public_keys: tuple[PublicKey, ...] = ()


def opened(envelopes: Iterable[Envelope], loot: Loot) -> list[tuple[Envelope, bytes]]:
    """What any part of the loot opens: as encryption key, as shared secret or as private key.

    The plaintexts lack their first block: the rest does not need the initialisation vector.
    """
    keys, secrets = loot.parts(BLOCK), loot.parts(SECRET)
    privates = {public: private for secret in secrets for public, private in _pair(secret)}
    found = []
    for envelope in envelopes:
        agreed = {key[:BLOCK] for key in _agreed(envelope, secrets, privates)}
        plaintexts = (_decrypted(envelope.ciphertext, key) for key in keys | agreed)
        found += [(envelope, plaintext) for plaintext in plaintexts if plaintext is not None]
    return found


def envelope_keys(loot: Loot, base: bytes, context: EciesContext, request: EciesRequest) -> list[EnvelopeKey]:
    """Parts of the loot that are the whole key of a request, told by its MAC."""
    info = ecies.request_shared_info2(context, base, request)
    return [
        EnvelopeKey(part)
        for part in loot.parts(ENVELOPE_KEY)
        if ecies.verify_request_mac(EnvelopeKey(part), info, request)
    ]


def sealed_anew(
    context: EciesContext, key: EnvelopeKey, base: bytes, request: EciesRequest, plaintext: bytes
) -> EciesRequest:
    """Another message under a known key: a new nonce, the time of now."""
    version = context.version
    return ecies.encrypt_request(
        context,
        key,
        base,
        request.ephemeral_public_key,
        plaintext,
        nonce=os.urandom(BLOCK) if version.facts.request_nonce else None,
        timestamp=clock.now_ms() if version.facts.timestamp else None,
    )


def refreshed(body: bytes) -> bytes:
    """An envelope with a new nonce and the time of now, for which its MAC was not made."""
    try:
        members = json.loads(body)
    except ValueError:
        return body
    if isinstance(members, dict):
        if "timestamp" in members:
            members["timestamp"] = clock.now_ms()
        if "nonce" in members:
            members["nonce"] = b64encode(os.urandom(BLOCK)).decode()
    return json.dumps(members).encode()


def _values(document: Any, name: str = "") -> Iterator[tuple[str, bytes]]:
    if isinstance(document, Mapping):
        for key, member in document.items():
            yield from _values(member, key)
    elif isinstance(document, list | tuple):
        for member in document:
            yield from _values(member, name)
    elif isinstance(document, str):
        yield from _values_of_text(document, name)


def _values_of_text(text: str, name: str) -> Iterator[tuple[str, bytes]]:
    for piece in (text, *_QUOTED.findall(text), *(text.split(".") if text.count(".") == 2 else ())):
        decodings = list(_decodings(piece))
        yield from ((name, decoded[:_LONGEST]) for decoded in decodings or [piece.encode()])
        for decoded in decodings:
            with suppress(ValueError, RecursionError):
                inner = json.loads(decoded)
                if isinstance(inner, dict | list):
                    yield from _values(inner)


def _decodings(text: str) -> Iterator[bytes]:
    for decode in (_standard, _urlsafe, bytes.fromhex):
        with suppress(ValueError):
            yield decode(text)
            return


def _standard(text: str) -> bytes:
    return b64decode(text, validate=True)


def _urlsafe(text: str) -> bytes:
    return b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _pair(secret: bytes) -> Iterator[tuple[bytes, PrivateKey]]:
    with suppress(KeyFormatError):
        private = import_private_key(secret)
        yield export_public_key(private.public_key()), private


def _agreed(envelope: Envelope, secrets: set[bytes], privates: Mapping[bytes, PrivateKey]) -> Iterator[bytes]:
    if envelope.point is None:
        return
    for secret in secrets:
        yield envelope_key_of(secret, envelope.point, envelope.purpose, envelope.version)
    for public in envelope.public_keys:
        private = privates.get(export_public_key(public))
        if private is not None:
            yield derive_envelope_key(private, envelope.point, envelope.purpose, envelope.version)


def _decrypted(ciphertext: bytes, key: bytes) -> bytes | None:
    """The plaintext without its first block, if the key fits: right padding, and text."""
    decryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(BLOCK))).decryptor()
    unpadder = PKCS7(8 * BLOCK).unpadder()
    try:
        padded = decryptor.update(ciphertext) + decryptor.finalize()
        plaintext = unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        return None
    rest = plaintext[BLOCK:]
    # Long enough, and JSON, so that no key fits by chance.
    if len(rest) > BLOCK and rest.endswith(b"}") and rest.isascii() and rest.decode().isprintable():
        return rest
    return None
