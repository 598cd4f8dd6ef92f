"""Rules of spec/core-api.md §15: time window and unique values."""

from __future__ import annotations

import base64

import pytest

from powerauth_core.replay.rules import is_in_time, unique_value

NOW, WINDOW = 1_700_000_000_000, 60_000


@pytest.mark.parametrize(
    ("offset", "accepted"),
    [(0, True), (-WINDOW, True), (WINDOW, True), (-WINDOW - 1, False), (WINDOW + 1, False)],
)
def test_envelopes_are_accepted_within_the_window_on_both_sides(offset: int, accepted: bool) -> None:
    assert is_in_time(NOW + offset, NOW, WINDOW) is accepted


def test_unique_value_is_key_nonce_and_identifier_in_base64() -> None:
    value = unique_value(b"\x02key", b"nonce", "id-é")
    assert base64.b64decode(value) == b"\x02keynonce" + "id-é".encode()


def test_missing_parts_of_a_unique_value_are_empty() -> None:
    assert unique_value(None, b"nonce", None) == base64.b64encode(b"nonce").decode()
