"""What providers' answers mean, reason by reason (spec/push-api.md §10.5, §11.4, §12.3)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from powerauth_contracts.moments import to_ms
from powerauth_push.providers.answers import apns, fcm, hms
from powerauth_push.providers.answers.reading import retry_after
from powerauth_push.providers.messages import Device
from powerauth_push.providers.outcomes import Outcome, Verdict

NOW = datetime(2026, 1, 1, 12, 0, 0)
DEVICE = Device("T", registered_at=NOW - timedelta(days=1))
SENT, GONE, WRONG = Verdict.SENT, Verdict.UNREGISTERED, Verdict.WRONG_TOKEN
BAD, LATER, FAILED = Verdict.BAD_CREDENTIALS, Verdict.LATER, Verdict.FAILED


def apple(status: int, reason: str | None = None, pause: str | None = None, **members: Any) -> Outcome:
    body = json.dumps({"reason": reason, **members}).encode() if reason else b""
    return apns.outcome(status, body, pause, DEVICE, NOW)


@pytest.mark.parametrize(
    ("status", "reason", "verdict"),
    [
        (200, None, SENT),
        (400, "BadDeviceToken", WRONG),
        (400, "DeviceTokenNotForTopic", WRONG),
        (400, "TopicDisallowed", BAD),
        (400, "BadTopic", BAD),
        (403, "InvalidProviderToken", BAD),
        (403, "MissingProviderToken", BAD),
        (403, "BadCertificate", BAD),
        (403, "BadCertificateEnvironment", BAD),
        (403, "Forbidden", BAD),
        (403, "BadEnvironmentKeyIdInToken", BAD),
        (403, "UnrelatedKeyIdInToken", BAD),
        (403, "SomethingNew", BAD),
        (403, "ExpiredProviderToken", LATER),
        (410, "Unregistered", GONE),
        (410, "ExpiredToken", GONE),
        (410, None, GONE),
        *[(400, reason, FAILED) for reason in ("BadCollapseId", "BadExpirationDate", "BadMessageId")],
        *[(400, reason, FAILED) for reason in ("BadPriority", "InvalidPushType", "MissingTopic")],
        *[(400, reason, FAILED) for reason in ("MissingDeviceToken", "PayloadEmpty", "DuplicateHeaders")],
        (404, "BadPath", FAILED),
        (405, "MethodNotAllowed", FAILED),
        (413, "PayloadTooLarge", FAILED),
        (418, None, FAILED),
        (400, "IdleTimeout", LATER),
        (429, "TooManyRequests", LATER),
        (429, "TooManyProviderTokenUpdates", LATER),
        (429, None, LATER),
        (500, "InternalServerError", LATER),
        (503, "ServiceUnavailable", LATER),
        (503, "Shutdown", LATER),
        (502, None, LATER),
    ],
)
def test_apns(status: int, reason: str | None, verdict: Verdict) -> None:
    outcome = apple(status, reason)
    assert outcome.verdict is verdict
    assert outcome.ends_registration is (verdict in (GONE, WRONG))
    assert outcome.reason in (reason or f"status {status}", f"status {status}", "")


@pytest.mark.parametrize(
    ("moment", "verdict"),
    [
        (NOW, GONE),
        (NOW - timedelta(days=2), FAILED),
        (NOW - timedelta(days=1), FAILED),
    ],
)
def test_apns_registered_again_since(moment: datetime, verdict: Verdict) -> None:
    assert apple(410, "Unregistered", timestamp=to_ms(moment)).verdict is verdict


@pytest.mark.parametrize("timestamp", [None, "x", True, 1e30, 10**30])
def test_apns_timestamp_that_makes_no_sense(timestamp: object) -> None:
    assert apple(410, "Unregistered", timestamp=timestamp).verdict is GONE


def test_apns_tells_whether_all_devices_are_concerned() -> None:
    assert not apple(429, "TooManyRequests").provider_wide
    assert apple(503, "ServiceUnavailable", "7") == Outcome(LATER, "ServiceUnavailable", 7.0, False, True)
    assert apple(429, "TooManyProviderTokenUpdates").retry_after == 1200


@pytest.mark.parametrize("body", [b"", b"no", b"[]", b'{"reason":7}', b'{"reason":"<secret>"}', b"\xff"])
def test_others_words_are_not_repeated(body: bytes) -> None:
    assert apns.outcome(400, body, None, DEVICE, NOW) == Outcome(FAILED, "status 400")
    assert fcm.outcome(400, body, None, NOW, proven=True) == Outcome(FAILED, "status 400")
    assert hms.outcome(400, body, None, NOW, proven=True) == Outcome(FAILED, "status 400")


FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


def google(
    status: int, code: str | None = None, *details: Any, pause: str | None = None, proven: bool = False
) -> Outcome:
    named = [{"@type": FCM_ERROR, "errorCode": code}] if code else []
    body = json.dumps({"error": {"details": [*named, *details]}}).encode()
    return fcm.outcome(status, body, pause, NOW, proven=proven)


def violation(field: str) -> Any:
    return {"@type": BAD_REQUEST, "fieldViolations": [{"field": field}]}


@pytest.mark.parametrize(
    ("outcome", "verdict", "pause"),
    [
        (google(404, "UNREGISTERED"), GONE, None),
        (google(400, "INVALID_ARGUMENT"), FAILED, None),
        (google(400, "INVALID_ARGUMENT", proven=True), WRONG, None),
        (google(400, "INVALID_ARGUMENT", violation("message.token")), WRONG, None),
        (google(400, "INVALID_ARGUMENT", violation("message.data[0].value")), FAILED, None),
        (google(400, "INVALID_ARGUMENT", {"@type": BAD_REQUEST, "fieldViolations": 7}), FAILED, None),
        (google(400, None, violation("message.token")), FAILED, None),
        (google(403, "SENDER_ID_MISMATCH"), FAILED, None),
        (google(401, "THIRD_PARTY_AUTH_ERROR"), BAD, None),
        (google(401), BAD, None),
        (google(403), BAD, None),
        (google(404), BAD, None),
        (google(429, "QUOTA_EXCEEDED"), LATER, 60.0),
        (google(429, "QUOTA_EXCEEDED", pause="120"), LATER, 120.0),
        (google(503, "UNAVAILABLE", pause="3"), LATER, 3.0),
        (google(500, "INTERNAL"), LATER, None),
        (google(502), LATER, None),
        (google(400, "NEW_CODE"), FAILED, None),
    ],
)
def test_fcm(outcome: Outcome, verdict: Verdict, pause: float | None) -> None:
    assert (outcome.verdict, outcome.retry_after) == (verdict, pause)


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ({"name": "projects/p/messages/0:1"}, SENT),
        ({"name": "projects/p"}, FAILED),
        ({"name": 7}, FAILED),
        ({}, FAILED),
    ],
)
def test_fcm_success_has_a_name(body: Any, verdict: Verdict) -> None:
    assert fcm.outcome(200, json.dumps(body).encode(), None, NOW, proven=False).verdict is verdict


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (200, "80000000", SENT),
        (500, "80000000", LATER),
        (200, "80100000", WRONG),
        (200, "80300007", WRONG),
        (401, "80200001", BAD),
        (200, "80200003", BAD),
        (200, "80300002", BAD),
        (200, "80600003", LATER),
        *[(200, code, FAILED) for code in ("80100001", "80100003", "80100004", "80100013", "80100016")],
        *[(200, code, FAILED) for code in ("80300008", "80300010", "80300011", "12345678")],
        (500, "81000001", LATER),
        (502, "", LATER),
        (503, "", LATER),
    ],
)
def test_hms(status: int, code: str, verdict: Verdict) -> None:
    body = json.dumps({"code": code}).encode()
    assert hms.outcome(status, body, None, NOW, proven=True).verdict is verdict


def test_hms_that_knows_no_token_at_all_is_configured_wrongly() -> None:
    assert hms.outcome(200, b'{"code":"80300007"}', None, NOW, proven=False).verdict is FAILED


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0.0),
        (" 30 ", 30.0),
        ("999999999", 3600.0),
        ("-1", None),
        ("soon", None),
        ("\u0663", None),
        ("Thu, 01 Jan 2026 12:01:00 GMT", 60.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("Thu, 01 Jan 2099 11:00:00 GMT", 3600.0),
    ],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds
