"""Rules of spec/core-api.md §15: time window and unique values."""

from __future__ import annotations

import base64

import pytest

from powerauth_core.replay.rules import is_in_time, token_value

NOW, WINDOW = 1_700_000_000_000, 60_000


@pytest.mark.parametrize(
    ("offset", "accepted"),
    [(0, True), (-WINDOW, True), (WINDOW, True), (-WINDOW - 1, False), (WINDOW + 1, False)],
)
def test_envelopes_are_accepted_within_the_window_on_both_sides(offset: int, accepted: bool) -> None:
    assert is_in_time(NOW + offset, NOW, WINDOW) is accepted


def test_unique_value_of_a_token_header_is_nonce_and_id_in_base64() -> None:
    assert base64.b64decode(token_value("id-é", b"nonce")) == b"nonce" + "id-é".encode()
