"""HTTP Basic credentials as callers send them (spec/core-api.md §1.1, spec/cloud-api.md §1.3)."""

from __future__ import annotations

import base64
import binascii


def parse_basic(header: str | None) -> tuple[str, str] | None:
    """User and password of an ``Authorization`` header; ``None`` without readable Basic credentials.

    The text is UTF-8 and is split at the first colon. A credential with NUL is unreadable: no store could
    hold it.
    """
    if header is None:
        return None
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    user, colon, password = text.partition(":")
    if not colon or "\x00" in text:
        return None
    return user, password


def basic_header(user: str, password: str) -> str:
    """The value of an ``Authorization`` header carrying these credentials."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
