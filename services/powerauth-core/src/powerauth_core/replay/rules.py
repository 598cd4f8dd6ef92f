"""What makes a request unique, when it is in time and how long it is remembered (spec/core-api.md §15)."""

from __future__ import annotations

from powerauth_protocol.common.encoding import b64encode, utf8

MARGIN_MS = 60_000
"""A value is kept this much longer than its request could be accepted: clocks of replicas differ."""


def is_in_time(timestamp_ms: int, now_ms: int, window_ms: int) -> bool:
    """Whether an envelope is neither too old nor too far ahead (D4)."""
    return now_ms - window_ms <= timestamp_ms <= now_ms + window_ms


def unique_value(ephemeral_public_key: bytes | None, nonce: bytes | None, identifier: str | None) -> str:
    """The text to store: missing parts are empty (spec/core-api.md §15 step 3).

    :param ephemeral_public_key: encoded point exactly as transmitted; None for tokens
    :param nonce: bytes of the request's nonce
    :param identifier: activation id or token id, None in application scope
    """
    return b64encode((ephemeral_public_key or b"") + (nonce or b"") + utf8(identifier or ""))
