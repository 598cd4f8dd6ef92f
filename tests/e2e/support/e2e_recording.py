"""Everything that an enrollment host sees, recorded, and a tool that tries each of it as a key."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from powerauth_protocol.ecies import SharedInfo1
from powerauth_protocol.ecies_derivation import derive_envelope_key, envelope_key_of
from powerauth_protocol.errors import KeyFormatError
from powerauth_protocol.keys import import_private_key
from powerauth_protocol.versions import ProtocolVersion
from powerauth_sdk.transport import Answer, HttpTransport
from servicekit.testing import PATIENCE_SECONDS

_BLOCK = 16
_SECRET = 32
_LONGEST_KEY_MATERIAL = 96


@dataclass(frozen=True)
class Envelope:
    """An encrypted message; only a request carries the point that its key is agreed with."""

    ciphertext: bytes
    ephemeral_public_key: bytes | None


@dataclass
class Recording:
    """All JSON that enrollment received or sent, by path: requests and answers of the core, and of phones."""

    to_core: list[tuple[str, Any]] = field(default_factory=list)
    from_core: list[tuple[str, Any]] = field(default_factory=list)
    from_phones: list[tuple[str, Any]] = field(default_factory=list)
    to_phones: list[tuple[str, Any]] = field(default_factory=list)

    @property
    def everything(self) -> list[Any]:
        """The content of all messages."""
        messages = (*self.to_core, *self.from_core, *self.from_phones, *self.to_phones)
        return [content for _, content in messages]

    def clear(self) -> None:
        """Start anew."""
        for part in (self.to_core, self.from_core, self.from_phones, self.to_phones):
            part.clear()

    def key_material(self) -> set[bytes]:
        """Every value that could be a key, or several in a row."""
        values = {_bytes_of(text) for content in self.everything for text in _texts(content)}
        return {value for value in values if value and _BLOCK <= len(value) <= _LONGEST_KEY_MATERIAL}

    def inner_envelopes(self) -> list[Envelope]:
        """Second layers of key exchanges, both directions."""
        passed = [content["requestObject"] for path, content in self.to_core if _creates(path)]
        answered = [
            content["responseObject"]
            for path, content in self.from_core
            if _creates(path) and content["status"] == "OK"
        ]
        return [_envelope(message["activationData"]) for message in (*passed, *answered)]

    def outer_envelopes(self) -> list[Envelope]:
        """First layers of key exchanges, as phones sent them."""
        return [_envelope(content) for path, content in self.from_phones if _creates(path)]


def _creates(path: str) -> bool:
    return path.endswith("/activation/create")


def _envelope(members: Mapping[str, Any]) -> Envelope:
    point = members.get("ephemeralPublicKey")
    return Envelope(b64decode(members["encryptedData"]), b64decode(point) if point else None)


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict | list):
        for member in content.values() if isinstance(content, dict) else content:
            yield from _texts(member)


def _bytes_of(text: str) -> bytes | None:
    with suppress(ValueError):
        return b64decode(text, validate=True)
    return None


def _parts(material: set[bytes], length: int) -> set[bytes]:
    return {value[at : at + length] for value in material for at in range(len(value) - length + 1)}


def opened(envelopes: list[Envelope], material: set[bytes], version: ProtocolVersion) -> list[bytes]:
    """What any part of `material` opens, as an encryption key, a shared secret or a private key.

    The plaintexts lack their first block: the rest does not need the initialisation vector.
    """
    keys, secrets = _parts(material, _BLOCK), _parts(material, _SECRET)
    found = []
    for envelope in envelopes:
        tried = keys | {key[:_BLOCK] for key in _agreed_keys(envelope, secrets, version)}
        plaintexts = (_decrypted(envelope.ciphertext, key) for key in tried)
        found += [plaintext for plaintext in plaintexts if plaintext is not None]
    return found


def _agreed_keys(envelope: Envelope, secrets: set[bytes], version: ProtocolVersion) -> Iterator[bytes]:
    point, purpose = envelope.ephemeral_public_key, SharedInfo1.ACTIVATION_LAYER_2
    if point is None:
        return
    for secret in secrets:
        yield envelope_key_of(secret, point, purpose, version)
        with suppress(KeyFormatError):
            yield derive_envelope_key(import_private_key(secret), point, purpose, version)


def _decrypted(ciphertext: bytes, key: bytes) -> bytes | None:
    """The plaintext without its first block, if the key fits: right padding, and text."""
    decryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(_BLOCK))).decryptor()
    unpadder = PKCS7(8 * _BLOCK).unpadder()
    try:
        padded = decryptor.update(ciphertext) + decryptor.finalize()
        plaintext = unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        return None
    rest = plaintext[_BLOCK:]
    return rest if len(rest) > _BLOCK and rest.isascii() and rest.decode().isprintable() else None


class RecordingProxy:
    """Stands between enrollment and the core."""

    def __init__(self, core_url: str, recording: Recording) -> None:
        self._core = httpx2.AsyncClient(base_url=core_url, timeout=PATIENCE_SECONDS)
        self._recording = recording

    @property
    def app(self) -> Starlette:
        """The proxy over HTTP."""
        return Starlette(routes=[Route("/{path:path}", self._forward, methods=["POST"])])

    async def close(self) -> None:
        """Close the connections to the core."""
        await self._core.aclose()

    async def _forward(self, request: Request) -> Response:
        body, path = await request.body(), request.url.path
        headers = {name: request.headers[name] for name in ("authorization", "content-type")}
        answer = await self._core.post(path.lstrip("/"), content=body, headers=headers)
        self._recording.to_core.append((path, json.loads(body)))
        self._recording.from_core.append((path, json.loads(answer.content)))
        return Response(answer.content, answer.status_code, media_type="application/json")


class RecordingTransport(HttpTransport):
    """A phone's transport: what it sends is what enrollment receives."""

    def __init__(self, base_url: str, recording: Recording) -> None:
        super().__init__(base_url)
        self._recording = recording

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send, and remember both directions."""
        self._recording.from_phones.append((path, json.loads(body)))
        answer = await super().send(method, path, headers, body)
        self._recording.to_phones.append((path, json.loads(answer.body)))
        return answer
