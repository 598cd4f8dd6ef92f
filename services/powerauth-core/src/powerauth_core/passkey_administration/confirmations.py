"""Proof that somebody has seen the figures of a change (spec/device-trust.md §4.13).

A MAC over what was shown, and nothing is stored. Its key comes from the master key, which all processes
share; where there is none, each process has one of its own.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta
from functools import cache

from powerauth_contracts import moments
from powerauth_contracts.wire import json_bytes
from powerauth_core.kernel.records import RecordCipher
from powerauth_protocol.common.encoding import b64url_encode
from servicekit.master_keys import derived_key

VALID = timedelta(minutes=15)

_LABEL = b"powerauth-core passkey policy confirmation 1"


def issue(cipher: RecordCipher, facts: object, now: datetime) -> str:
    """A confirmation of facts.

    :param facts: what JSON can say
    :param now: naive UTC
    """
    return _confirmation(cipher, facts, moments.to_ms(now + VALID))


def holds(cipher: RecordCipher, confirmation: str, facts: object, now: datetime) -> bool:
    """Whether it is one of these facts, and not too old."""
    text = confirmation.partition(".")[0]
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
        return False
    until = int(text)
    expected = _confirmation(cipher, facts, until)
    return hmac.compare_digest(expected.encode(), confirmation.encode()) and moments.to_ms(now) < until


def _confirmation(cipher: RecordCipher, facts: object, until: int) -> str:
    mac = hmac.digest(_key(cipher.keys.current), json_bytes([until, facts]), "sha256")
    return f"{until}.{b64url_encode(mac)}"


@cache
def _key(master: bytes | None) -> bytes:
    return secrets.token_bytes(32) if master is None else derived_key(master, _LABEL)


_DIGITS = 16
"""Of a moment in milliseconds."""
