"""What makes a request unique, when it is in time and how long it is remembered (spec/core-api.md §15)."""

from __future__ import annotations

from powerauth_protocol.common.encoding import b64encode, utf8

MARGIN_MS = 60_000
"""A value is kept this much longer than its request could be accepted: clocks of replicas differ."""


def is_in_time(timestamp_ms: int, now_ms: int, window_ms: int) -> bool:
    """Whether an envelope is neither too old nor too far ahead (D4)."""
    return now_ms - window_ms <= timestamp_ms <= now_ms + window_ms


def token_value(token_id: str, nonce: bytes) -> str:
    """The text to store for a token header (spec/core-api.md §15 step 3)."""
    return stored_value(nonce + utf8(token_id))


def stored_value(value: bytes) -> str:
    """The text to store for what makes a request unique."""
    return b64encode(value)
