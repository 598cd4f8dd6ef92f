"""DER as the extensions of attestation certificates need it."""

from __future__ import annotations


def item(tag: int, *contents: bytes) -> bytes:
    """One item of a tag of one octet."""
    return bytes([tag]) + _sized(b"".join(contents))


def explicit(number: int, content: bytes) -> bytes:
    """An explicit context tag, its number in the long form where it needs one."""
    if number < 31:
        return item(0xA0 | number, content)
    octets = [number & 0x7F]
    while number := number >> 7:
        octets.append(number & 0x7F | 0x80)
    return bytes([0xBF, *reversed(octets)]) + _sized(content)


def integer(value: int, tag: int = 0x02) -> bytes:
    """A number from 0 on; with another tag an ENUMERATED."""
    return item(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def octets(data: bytes) -> bytes:
    """An OCTET STRING."""
    return item(0x04, data)


def sequence(*contents: bytes) -> bytes:
    """A SEQUENCE."""
    return item(0x30, *contents)


def _sized(content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(length)]) + length + content
