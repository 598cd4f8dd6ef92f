"""DER as certificates' extensions hold it, walked item by item within their bounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from powerauth_core.passkeys.refusals import Malformed

INTEGER, OCTETS, ENUMERATED, SEQUENCE, SET = 0x02, 0x04, 0x0A, 0x30, 0x31
_CONTEXT_CONSTRUCTED = 0xA0
_LIMIT = 65_536


@dataclass(frozen=True, slots=True)
class Item:
    """One item: tag number with its class, and what it holds."""

    tag: int
    content: bytes

    @property
    def explicit(self) -> int | None:
        """Number of an explicit context tag, None for every other item."""
        return self.tag >> 8 if self.tag & 0xFF == _CONTEXT_CONSTRUCTED else None

    def items(self) -> list[Item]:
        """What a constructed item holds.

        :raises Malformed: it holds something else
        """
        return list(_items(self.content))

    def integer(self) -> int:
        """The number of an INTEGER or ENUMERATED.

        :raises Malformed: it is neither, or longer than eight bytes
        """
        if self.tag not in (INTEGER, ENUMERATED) or not 1 <= len(self.content) <= 8:
            raise Malformed("DER: no small number")
        return int.from_bytes(self.content, "big", signed=True)

    def octets(self) -> bytes:
        """The bytes of an OCTET STRING.

        :raises Malformed: it is none
        """
        if self.tag != OCTETS:
            raise Malformed("DER: no octets")
        return self.content


def single(data: bytes, tag: int) -> Item:
    """Read exactly one item.

    :raises Malformed: another tag, or something follows
    """
    found = list(_items(data))
    if len(found) != 1 or found[0].tag != tag:
        raise Malformed("DER: not the item expected")
    return found[0]


def _items(data: bytes) -> Iterator[Item]:
    if len(data) > _LIMIT:
        raise Malformed("DER: too long")
    at = 0
    try:
        while at < len(data):
            tag, at = _tag(data, at)
            size, at = _size(data, at)
            if at + size > len(data):
                raise Malformed("DER: cut off")
            yield Item(tag, data[at : at + size])
            at += size
    except IndexError:
        raise Malformed("DER: cut off") from None


def _tag(data: bytes, at: int) -> tuple[int, int]:
    """The first octet; above it, for context tags, the number."""
    first, at = data[at], at + 1
    number = first & 0x1F
    if number == 0x1F:
        number, at = _long_number(data, at)
    return (first if first < 0x80 else number << 8 | first & 0xE0), at


def _long_number(data: bytes, at: int) -> tuple[int, int]:
    number = 0
    for octet in data[at : at + 4]:
        number, at = number << 7 | octet & 0x7F, at + 1
        if octet < 0x80:
            return number, at
    raise Malformed("DER: tag")


def _size(data: bytes, at: int) -> tuple[int, int]:
    first, at = data[at], at + 1
    if first < 0x80:
        return first, at
    octets = first & 0x7F
    if not 1 <= octets <= 3:
        raise Malformed("DER: length")
    return int.from_bytes(data[at : at + octets], "big"), at + octets
