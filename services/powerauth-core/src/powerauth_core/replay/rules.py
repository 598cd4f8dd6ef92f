"""What makes a request unique, when it is in time and how long it is remembered (spec/core-api.md §15)."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from powerauth_core.kernel.enums import UniqueValueType
from powerauth_protocol.common.encoding import b64encode, utf8

MARGIN_MS = 60_000
"""A value is kept this much longer than its request could be accepted: clocks of replicas differ."""


class Once(NamedTuple):
    """What may be accepted once.

    :ivar expires: until when that is remembered, naive UTC
    """

    value: str
    kind: UniqueValueType
    expires: datetime

    @property
    def row(self) -> tuple[str, int, datetime]:
        """Its columns as the database holds them."""
        return self.value, self.kind.code, self.expires


def is_in_time(timestamp_ms: int, now_ms: int, window_ms: int) -> bool:
    """Whether an envelope is neither too old nor too far ahead (D4)."""
    return now_ms - window_ms <= timestamp_ms <= now_ms + window_ms


def token_value(token_id: str, nonce: bytes) -> str:
    """The text to store for a token header (spec/core-api.md §15 step 3)."""
    return stored_value(nonce + utf8(token_id))


def stored_value(value: bytes) -> str:
    """The text to store for what makes a request unique."""
    return b64encode(value)
