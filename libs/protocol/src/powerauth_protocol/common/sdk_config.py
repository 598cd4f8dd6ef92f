"""The configuration text that mobile applications are built with (spec/protocol-v3.md §14.3)."""

from __future__ import annotations

from dataclasses import dataclass, field

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError

_FORMAT_VERSION = 1
_P256_KEY_ID = 1


@dataclass(frozen=True, slots=True)
class MobileSdkConfig:
    """What a mobile application knows at build time.

    :ivar application_key: 16 bytes
    :ivar application_secret: 16 bytes
    :ivar master_public_key: encoded point, 65 bytes as servers write it
    """

    application_key: bytes
    application_secret: bytes = field(repr=False)
    master_public_key: bytes

    def build(self) -> str:
        """Return the Base64 text.

        :raises EncodingError: key or secret is not 16 bytes, or the public key is empty
        """
        if len(self.application_key) != 16 or len(self.application_secret) != 16:
            raise EncodingError("application key and secret have 16 bytes")
        if not self.master_public_key:
            raise EncodingError("the master public key is missing")
        return b64encode(
            bytes([_FORMAT_VERSION])
            + _data(self.application_key)
            + _data(self.application_secret)
            + _count(1)
            + bytes([_P256_KEY_ID])
            + _data(self.master_public_key)
        )

    @classmethod
    def parse(cls, text: str) -> MobileSdkConfig:
        """Read the Base64 text; keys of unknown kinds are passed over.

        :raises EncodingError: malformed, another format version, or no P-256 key
        """
        reader = _Reader(b64decode(text))
        if reader.byte() != _FORMAT_VERSION:
            raise EncodingError("unknown format version")
        application_key, application_secret = reader.data(), reader.data()
        if len(application_key) != 16 or len(application_secret) != 16:
            raise EncodingError("application key and secret have 16 bytes")
        public_key = None
        for _ in range(reader.count()):
            key_id, key = reader.byte(), reader.data()
            if key_id == _P256_KEY_ID:
                public_key = key
        reader.end()
        if not public_key:
            raise EncodingError("the master public key is missing")
        return cls(application_key, application_secret, public_key)


def _count(number: int) -> bytes:
    if number <= 0x7F:
        return number.to_bytes(1, "big")
    if number <= 0x3FFF:
        return (number | 0x8000).to_bytes(2, "big")
    if number <= 0x3FFFFFFF:
        return (number | 0xC0000000).to_bytes(4, "big")
    raise EncodingError("too long")


def _data(data: bytes) -> bytes:
    return _count(len(data)) + data


class _Reader:
    """Reads counts and byte strings one after the other."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, length: int) -> bytes:
        part = self._data[self._position : self._position + length]
        if len(part) != length:
            raise EncodingError("the text ends too early")
        self._position += length
        return part

    def byte(self) -> int:
        return self.take(1)[0]

    def count(self) -> int:
        first = self.byte()
        if first < 0x80:
            return first
        if first < 0xC0:
            return int.from_bytes(bytes([first & 0x3F]) + self.take(1), "big")
        return int.from_bytes(bytes([first & 0x3F]) + self.take(3), "big")

    def data(self) -> bytes:
        return self.take(self.count())

    def end(self) -> None:
        if self._position != len(self._data):
            raise EncodingError("bytes after the end")
