"""JSON as this service reads and writes it (spec/enrollment-api.md §1.3)."""

from __future__ import annotations

import pytest

from enrollment.wire import ok_object, request_object, text_member, wire_date


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", None),
        (b"{}", None),
        (b'{"requestObject":null}', None),
        (b'{"requestObject":[]}', None),
        (b'{"requestObject":{"a":1},"other":2}', {"a": 1}),
    ],
)
def test_request_object(body: bytes, expected: object) -> None:
    assert request_object(body) == expected


@pytest.mark.parametrize("members", [None, {}, {"a": None}, {"a": ""}, {"a": 1}, {"a": []}])
def test_a_text_member_is_a_text_with_characters(members: dict[str, object] | None) -> None:
    assert text_member(members, "a") is None


def test_an_empty_list_is_written_and_no_object_is_not() -> None:
    assert ok_object([]) == {"status": "OK", "responseObject": []}
    assert ok_object() == {"status": "OK"}


def test_dates_have_seconds_and_an_offset_without_colon() -> None:
    assert wire_date(1_741_531_393_999) == "2025-03-09T14:43:13+0000"
