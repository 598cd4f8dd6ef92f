"""Messages in the words of each provider: the specification's examples (spec/push-api.md §10 to §13)."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.json_text import read_json
from powerauth_push.providers.messages import (
    Content,
    Environment,
    Message,
    Priority,
    resolved_environment,
)
from powerauth_push.providers.payloads import apns, fcm, hms
from powerauth_push.providers.payloads.hms import HmsStyle
from powerauth_push.providers.payloads.validity import is_over

NOW = datetime(2026, 1, 1, 12, 0, 0)
IN_AN_HOUR = NOW + timedelta(hours=1)
EXAMPLE = Content(
    title="Payment",
    body="Approve 100 EUR",
    sound="default",
    category="payment",
    collapse_key="op1",
    extras={"operationId": "a1"},
)
"""The example of §11.2 and §12.2."""
LOCALISED = Content(
    title_loc_key="TITLE",
    title_loc_args=("100", "EUR"),
    body_loc_key="BODY",
    body_loc_args=("Žluťoučký",),
)
FCM_NOTIFICATION = {
    "title": "Payment",
    "body": "Approve 100 EUR",
    "sound": "default",
    "tag": "payment",
    "notification_priority": "PRIORITY_HIGH",
}


def visible(content: Content, **changed: Any) -> Message:
    return Message(replace(content, **changed))


def silent(content: Content, **changed: Any) -> Message:
    return Message(replace(content, **changed), silent=True)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            visible(EXAMPLE, badge=1, extras={"operationId": "a1", "n": 2, "x": None}),
            '{"aps":{"alert":{"title":"Payment","body":"Approve 100 EUR"},"sound":"default",'
            '"category":"payment","badge":1,"thread-id":"op1"},"operationId":"a1","n":2}',
        ),
        (
            silent(EXAMPLE, badge=1, extras={"operationId": "a1", "n": 2, "x": None}),
            '{"aps":{"badge":1,"content-available":1,"thread-id":"op1"},"operationId":"a1","n":2}',
        ),
        (
            visible(LOCALISED),
            '{"aps":{"alert":{"title-loc-key":"TITLE","title-loc-args":["100","EUR"],'
            '"loc-key":"BODY","loc-args":["Žluťoučký"]}}}',
        ),
        (visible(LOCALISED, title_loc_key=None, body_loc_key=None), '{"aps":{}}'),
        (visible(Content(icon="bank", badge=0)), '{"aps":{"badge":0}}'),
        (
            visible(Content(extras=read_json('{"aps":1,"deep":{"a":[1,true,1.50]},"no":null}'))),
            '{"aps":{},"deep":{"a":[1,true,1.50]}}',
        ),
    ],
)
def test_apns_payload(message: Message, expected: str) -> None:
    assert apns.payload(message).decode() == expected


@pytest.mark.parametrize(
    ("message", "priority", "push_type", "expiration", "collapse_id"),
    [
        (visible(EXAMPLE), "10", "alert", "0", "op1"),
        (silent(EXAMPLE, valid_until=IN_AN_HOUR), "5", "background", "1767272400", "op1"),
        (Message(EXAMPLE, Priority.NORMAL), "5", "alert", "0", "op1"),
        (visible(EXAMPLE, collapse_key="k" * 65), "10", "alert", "0", None),
        (visible(EXAMPLE, collapse_key="é"), "10", "alert", "0", None),
        (visible(EXAMPLE, collapse_key="a b"), "10", "alert", "0", "a b"),
        (visible(EXAMPLE, collapse_key=" a"), "10", "alert", "0", None),
        (visible(EXAMPLE, collapse_key="a "), "10", "alert", "0", None),
        (visible(EXAMPLE, collapse_key="a\nb"), "10", "alert", "0", None),
        (visible(EXAMPLE, collapse_key=None), "10", "alert", "0", None),
        (visible(EXAMPLE, valid_until=datetime(1969, 1, 1)), "10", "alert", "0", "op1"),
    ],
)
def test_apns_headers(
    message: Message, priority: str, push_type: str, expiration: str, collapse_id: str | None
) -> None:
    content = message.content
    assert (apns.priority(message), apns.push_type(message)) == (priority, push_type)
    assert (apns.expiration(content), apns.collapse_id(content)) == (expiration, collapse_id)


def test_apns_tokens_lose_what_is_not_hexadecimal() -> None:
    assert apns.hexadecimal("<0aF1 22-ž\u0661>") == "0aF122"


def fcm_message(message: Message, *, data_only: bool = False) -> Any:
    return json.loads(fcm.body(message, "T", NOW, data_only=data_only))["message"]


FCM_APNS = {
    "headers": {"apns-priority": "10", "apns-push-type": "alert", "apns-collapse-id": "op1"},
    "payload": {
        "aps": {
            "alert": {"title": "Payment", "body": "Approve 100 EUR"},
            "sound": "default",
            "category": "payment",
            "thread-id": "op1",
        }
    },
}
SILENT_APNS = {
    "headers": {"apns-priority": "5", "apns-push-type": "background", "apns-collapse-id": "op1"},
    "payload": {"aps": {"content-available": 1, "thread-id": "op1"}},
}


def test_fcm_visible() -> None:
    assert fcm_message(visible(EXAMPLE, valid_until=IN_AN_HOUR)) == {
        "token": "T",
        "data": {"operationId": "a1"},
        "android": {
            "priority": "HIGH",
            "collapse_key": "op1",
            "ttl": "3600s",
            "notification": FCM_NOTIFICATION,
        },
        "apns": FCM_APNS,
    }


def test_fcm_silent() -> None:
    assert fcm_message(silent(EXAMPLE)) == {
        "token": "T",
        "data": {"operationId": "a1"},
        "android": {"priority": "HIGH", "collapse_key": "op1"},
        "apns": SILENT_APNS,
    }


@pytest.mark.parametrize("message", [visible(EXAMPLE), silent(EXAMPLE)])
def test_fcm_as_data(message: Message) -> None:
    sent = fcm_message(message, data_only=True)
    assert "notification" not in sent["android"]
    assert json.loads(sent["data"].pop("_notification")) == FCM_NOTIFICATION
    assert sent["data"] == {"operationId": "a1"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (Content(), {"notification_priority": "PRIORITY_HIGH"}),
        (Content(badge=0), {"notification_priority": "PRIORITY_HIGH", "notification_count": 0}),
        (Content(badge=-1), {"notification_priority": "PRIORITY_HIGH"}),
        (
            replace(LOCALISED, icon="bank"),
            {
                "title_loc_key": "TITLE",
                "title_loc_args": ["100", "EUR"],
                "body_loc_key": "BODY",
                "body_loc_args": ["Žluťoučký"],
                "icon": "bank",
                "notification_priority": "PRIORITY_HIGH",
            },
        ),
        (Content(title_loc_args=("a",), body_loc_args=("b",)), {"notification_priority": "PRIORITY_HIGH"}),
    ],
)
def test_fcm_notification(content: Content, expected: dict[str, Any]) -> None:
    assert fcm_message(Message(content))["android"]["notification"] == expected


def test_fcm_normal_priority() -> None:
    sent = fcm_message(Message(EXAMPLE, Priority.NORMAL))
    assert sent["android"]["priority"] == "NORMAL"
    assert sent["android"]["notification"]["notification_priority"] == "PRIORITY_DEFAULT"
    assert sent["apns"]["headers"]["apns-priority"] == "5"


def test_fcm_data_are_texts() -> None:
    extras = read_json('{"s":"ž","b":true,"n":3,"f":1.50,"m":{"a":1},"l":[1,"x"],"no":null}')
    expected = {"s": "ž", "b": "true", "n": "3", "f": "1.50", "m": '{"a":1}', "l": '[1,"x"]'}
    assert fcm_message(Message(Content(extras=extras)))["data"] == expected
    assert "data" not in fcm_message(Message(Content(extras={"no": None})))


@pytest.mark.parametrize(
    ("left", "over", "google", "huawei"),
    [
        (timedelta(hours=1), False, "3600s", "3600s"),
        (timedelta(seconds=1, milliseconds=999), False, "1s", "1s"),
        (timedelta(days=365), False, "2419200s", "1296000s"),
        (timedelta(milliseconds=999), True, None, None),
        (timedelta(seconds=-1), True, None, None),
    ],
)
def test_the_end_of_a_message(left: timedelta, over: bool, google: str | None, huawei: str | None) -> None:
    message = visible(EXAMPLE, valid_until=NOW + left)
    assert is_over(message.content, NOW) is over
    if not over:
        assert fcm_message(message)["android"]["ttl"] == google
        assert hms_message(message)["android"]["ttl"] == huawei


def hms_message(message: Message, style: HmsStyle = HmsStyle()) -> Any:  # noqa: B008 - a value
    body = hms.body(message, "T", NOW, style)
    assert body is not None
    content = json.loads(body)
    assert content["validate_only"] is False
    return content["message"]


def test_hms_visible() -> None:
    message = visible(EXAMPLE, sound=None, collapse_key="-1", valid_until=IN_AN_HOUR)
    assert hms_message(message) == {
        "token": ["T"],
        "data": '{"operationId":"a1"}',
        "android": {
            "collapse_key": -1,
            "ttl": "3600s",
            "notification": {
                "title": "Payment",
                "body": "Approve 100 EUR",
                "tag": "payment",
                "importance": "NORMAL",
                "click_action": {"type": 3},
            },
        },
    }


def test_hms_silent() -> None:
    assert hms_message(silent(EXAMPLE)) == {
        "token": ["T"],
        "data": '{"operationId":"a1"}',
        "android": {},
    }
    assert hms.body(silent(EXAMPLE, extras={"x": None}), "T", NOW, HmsStyle()) is None


@pytest.mark.parametrize(
    ("content", "style", "expected"),
    [
        (Content(badge=5), HmsStyle(), {"badge": {"set_num": 5}}),
        (Content(badge=100), HmsStyle("com.bank.Main"), {"badge": {"set_num": 99, "class": "com.bank.Main"}}),
        (Content(badge=-1), HmsStyle(), {"badge": {"set_num": 0}}),
        (Content(sound="default"), HmsStyle(), {}),
        (Content(sound="/raw/ding"), HmsStyle(high_importance=True), {"sound": "/raw/ding"}),
        (
            LOCALISED,
            HmsStyle(),
            {
                "title_loc_key": "TITLE",
                "title_loc_args": ["100", "EUR"],
                "body_loc_key": "BODY",
                "body_loc_args": ["Žluťoučký"],
            },
        ),
    ],
)
def test_hms_notification(content: Content, style: HmsStyle, expected: dict[str, Any]) -> None:
    importance = "HIGH" if style.high_importance else "NORMAL"
    fixed = {"importance": importance, "click_action": {"type": 3}}
    assert hms_message(Message(content), style)["android"]["notification"] == {**expected, **fixed}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("-1", -1),
        ("0", 0),
        ("100", 100),
        ("0x10", 16),
        ("#A", 10),
        ("010", 8),
        ("+7", 7),
        ("101", None),
        ("-2", None),
        ("op1", None),
        ("", None),
        ("1" * 5000, None),
        (None, None),
    ],
)
def test_hms_collapse_key(text: str | None, key: int | None) -> None:
    assert hms.collapse_key(text) == key


def test_what_is_no_json_is_refused_and_not_sent() -> None:
    message = Message(Content(extras={"x": object()}))
    with pytest.raises(EncodingError):
        apns.payload(message)
    with pytest.raises(EncodingError):
        fcm.body(message, "T", NOW)
    with pytest.raises(EncodingError):
        hms.body(message, "T", NOW, HmsStyle())


def test_personal_is_not_on_the_wire() -> None:
    assert apns.payload(Message(EXAMPLE, personal=True)) == apns.payload(Message(EXAMPLE))


def test_texts_and_tokens_are_not_shown() -> None:
    shown = repr(Message(replace(EXAMPLE, title_loc_args=("secret",), body_loc_args=("secret",))))
    assert "Payment" not in shown
    assert "Approve" not in shown
    assert "secret" not in shown
    assert "a1" not in shown


DEVELOPMENT, PRODUCTION = Environment.DEVELOPMENT, Environment.PRODUCTION


@pytest.mark.parametrize(
    ("application", "use_development", "device", "expected"),
    [
        (None, True, None, DEVELOPMENT),
        (None, True, DEVELOPMENT, DEVELOPMENT),
        (None, True, PRODUCTION, PRODUCTION),
        (None, False, None, PRODUCTION),
        (None, False, PRODUCTION, PRODUCTION),
        (None, False, DEVELOPMENT, None),
        (DEVELOPMENT, False, None, DEVELOPMENT),
        (DEVELOPMENT, False, DEVELOPMENT, DEVELOPMENT),
        (DEVELOPMENT, True, PRODUCTION, PRODUCTION),
        (PRODUCTION, True, None, PRODUCTION),
        (PRODUCTION, True, PRODUCTION, PRODUCTION),
        (PRODUCTION, True, DEVELOPMENT, None),
    ],
)
def test_environment(
    application: Environment | None,
    use_development: bool,
    device: Environment | None,
    expected: Environment | None,
) -> None:
    assert resolved_environment(device, application, use_development=use_development) is expected
