"""Refresh tokens: what they are made of, and what presenting one means (spec/device-trust.md §2.5).

A token is the session's id, its number in the session, and a MAC of both under the session's secret. So the
successor of a token can be told again to whom it got lost, and whoever presents an earlier one shows that it
was ours: it was used before, by him or by a thief.
"""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto

from powerauth_core.jwt.models import JwtSession
from powerauth_core.kernel.records import RecordCipher, jwt_session_parts
from powerauth_protocol.common.encoding import b64url_decode, b64url_encode
from powerauth_protocol.common.errors import EncodingError

SECRET_BYTES = 32
GRACE = timedelta(seconds=10)
"""For how long a used token gives the same successor: its answer may have been lost."""
LENGTH = 43
_ID_BYTES = 16
_NUMBER_BYTES = 4
_MAC_BYTES = 12


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A token as it was presented."""

    session_id: str
    number: int
    mac: bytes


class Use(Enum):
    """What presenting a token means."""

    FORGED = auto()
    """None of ours."""
    FRESH = auto()
    """The one that is valid."""
    REPEATED = auto()
    """The one before, a moment ago: its successor is told again."""
    REUSED = auto()
    """Used before."""


def read(text: str) -> RefreshToken | None:
    """A token by its form; None: none of ours."""
    if len(text) != LENGTH:
        return None
    try:
        data = b64url_decode(text)
    except EncodingError:
        return None
    number = data[_ID_BYTES : _ID_BYTES + _NUMBER_BYTES]
    return RefreshToken(str(uuid.UUID(bytes=data[:_ID_BYTES])), int.from_bytes(number), data[-_MAC_BYTES:])


def current(cipher: RecordCipher, row: JwtSession) -> str | None:
    """The token of a session that is valid now; None: it has none."""
    if row.refresh_secret is None:
        return None
    content = _content(row.session_id, row.refresh_number)
    return b64url_encode(content + _mac(_secret(cipher, row), content))


def judge(cipher: RecordCipher, row: JwtSession, token: RefreshToken, now: datetime) -> Use:
    """What presenting a token of this session means."""
    if row.refresh_secret is None:
        return Use.FORGED
    expected = _mac(_secret(cipher, row), _content(token.session_id, token.number))
    if not hmac.compare_digest(expected, token.mac) or token.number > row.refresh_number:
        return Use.FORGED
    if token.number == row.refresh_number:
        return Use.FRESH
    is_last = token.number == row.refresh_number - 1
    return Use.REPEATED if is_last and now - row.timestamp_refreshed <= GRACE else Use.REUSED


def _secret(cipher: RecordCipher, row: JwtSession) -> bytes:
    assert row.refresh_secret is not None
    return cipher.decrypt(
        row.refresh_secret_encryption, jwt_session_parts(row.session_id), row.refresh_secret
    )


def _content(session_id: str, number: int) -> bytes:
    return uuid.UUID(session_id).bytes + number.to_bytes(_NUMBER_BYTES)


def _mac(secret: bytes, content: bytes) -> bytes:
    return hmac.digest(secret, content, "sha256")[:_MAC_BYTES]
