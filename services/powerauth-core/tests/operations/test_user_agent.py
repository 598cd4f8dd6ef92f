"""The device read from a user agent (spec/core-api.md §19.4)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerauth_core.operations.user_agent import parse_device, with_device

NAMES = (
    "networkVersion",
    "language",
    "connection",
    "product",
    "version",
    "platform",
    "os",
    "osVersion",
    "model",
)
IPHONE = "PowerAuthNetworking/1.5.1 (en; cellular) com.example.app/13.0.1 (Apple; iOS/26.0.1; iphone14,5)"


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        (
            IPHONE,
            ("1.5.1", "en", "cellular", "com.example.app", "13.0.1", "Apple", "iOS", "26.0.1", "iphone14,5"),
        ),
        (
            "PowerAuthNetworking/1.2.1 (uk; wifi) com.example_a-b/1.0.0-beta (samsung; Android/13; SM-A047F)",
            ("1.2.1", "uk", "wifi", "com.example_a-b", "1.0.0-beta", "samsung", "Android", "13", "SM-A047F"),
        ),
        (
            "App-ios/1.0 PowerAuth2/1.7.8 (iOS 17.0, simulator)",
            ("1.7.8", None, None, None, None, None, "iOS", "17.0", "simulator"),
        ),
        (
            "PowerAuth2/1.7.8 (Android 13, Google Pixel 4)",
            ("1.7.8", None, None, None, None, None, "Android", "13", "Google Pixel 4"),
        ),
        (
            "PowerAuthNetworking/1.0.0 com.example/2.0",
            ("1.0.0", None, None, "com.example", "2.0", None, None, None, None),
        ),
        ("PowerAuthNetworking/1.0.0 (cs; wifi)", ("1.0.0", "cs", "wifi", None, None, None, None, None, None)),
        ("PowerAuthNetworking/1.10.22", ("1.10.22", *[None] * 8)),
        ("PowerAuthNetworking/1.0.0  two spaces", ("1.0.0", *[None] * 8)),
    ],
)
def test_the_parts_of_our_libraries_are_read(user_agent: str, expected: tuple[str | None, ...]) -> None:
    assert parse_device(user_agent) == dict(zip(NAMES, expected, strict=True))


@pytest.mark.parametrize(
    "user_agent",
    [
        "",
        "curl/8.0",
        "PowerAuthNetworking/2.0.0 (en; wifi)",
        "PowerAuthNetworking/10.0.0",
        "PowerAuthNetworking/1.0",
        "PowerAuthNetworking/1",
        "X PowerAuthNetworking/1.0.0",
        "powerauthnetworking/1.0.0",
        "PowerAuth2/2.1.7",
        "PowerAuth2 1.1.7",
        IPHONE + " " * 2000,
    ],
)
def test_other_user_agents_tell_no_device(user_agent: str) -> None:
    assert parse_device(user_agent) is None


@given(st.text())
def test_any_text_is_survived(text: str) -> None:
    assert parse_device(text) is None or set(NAMES) == set(parse_device(text) or ())
    parse_device("PowerAuthNetworking/1.0.0" + text)


@pytest.mark.parametrize("data", [{}, {"userAgent": None}, {"userAgent": 7}, {"userAgent": ["x"]}, {"a": 1}])
def test_additional_data_without_our_user_agent_stays_as_it_is(data: dict[str, Any]) -> None:
    assert with_device(data) == data


def test_device_is_added_to_a_copy() -> None:
    data = {"userAgent": IPHONE, "ipAddress": "10.0.0.1"}
    shown = with_device(data)
    assert shown["device"]["model"] == "iphone14,5"
    assert shown["ipAddress"] == "10.0.0.1"
    assert "device" not in data
