"""What Apple's answers mean (spec/push-api.md §10.5)."""

from __future__ import annotations

from datetime import datetime

from powerauth_contracts.moments import from_ms
from powerauth_push.providers.answers.reading import json_object, retry_after
from powerauth_push.providers.messages import Device
from powerauth_push.providers.outcomes import SENT, Outcome, Verdict, bad_credentials, failed

EXPIRED_PROVIDER_TOKEN = "ExpiredProviderToken"  # noqa: S105
_OK = 200
_GONE = 410
_NOT_OUR_FAULT = 500
_TOKEN_UPDATE_SECONDS = 20 * 60.0
_WRONG_TOKEN = {"BadDeviceToken", "DeviceTokenNotForTopic"}
_BAD_CREDENTIALS = {
    "BadCertificate",
    "BadCertificateEnvironment",
    "BadEnvironmentKeyIdInToken",
    "BadTopic",
    "Forbidden",
    "InvalidProviderToken",
    "MissingProviderToken",
    "TopicDisallowed",
    "UnrelatedKeyIdInToken",
}
_THIS_MESSAGE = {
    "BadCollapseId",
    "BadExpirationDate",
    "BadMessageId",
    "BadPath",
    "BadPriority",
    "DuplicateHeaders",
    "InvalidPushType",
    "MethodNotAllowed",
    "MissingDeviceToken",
    "MissingTopic",
    "PayloadEmpty",
    "PayloadTooLarge",
}
_LATER = {
    "IdleTimeout": None,
    "TooManyRequests": 60.0,
    "TooManyProviderTokenUpdates": _TOKEN_UPDATE_SECONDS,
    "InternalServerError": None,
    "ServiceUnavailable": None,
    "Shutdown": None,
}
"""Reasons to try again, with the pause in seconds where the answer names none."""
_ONE_DEVICE = {"TooManyRequests"}


def reason_of(status: int, body: bytes) -> str:
    """The reason as Apple's list names it; for any other the status."""
    reason = json_object(body).get("reason")
    if reason in _KNOWN:
        return str(reason)
    return f"status {status}"


def outcome(status: int, body: bytes, pause: str | None, device: Device, now: datetime) -> Outcome:
    """What an answer means for the message and its device.

    :param pause: the `Retry-After` header
    """
    if status == _OK:
        return SENT
    reason = reason_of(status, body)
    if status == _GONE:
        return _gone(reason, body, device)
    if reason in _WRONG_TOKEN:
        return Outcome(Verdict.WRONG_TOKEN, reason)
    if reason in _BAD_CREDENTIALS:
        return bad_credentials(reason)
    if reason in _LATER or reason == EXPIRED_PROVIDER_TOKEN or status >= _NOT_OUR_FAULT or status == 429:
        asked = retry_after(pause, now)
        seconds = _LATER.get(reason) if asked is None else asked
        return Outcome(Verdict.LATER, reason, seconds, provider_wide=reason not in _ONE_DEVICE)
    if reason not in _THIS_MESSAGE and status in (401, 403):
        return bad_credentials(reason)
    return failed(reason)


def _gone(reason: str, body: bytes, device: Device) -> Outcome:
    """The app was removed at some moment; since then it may have registered anew."""
    gone_at = _moment(json_object(body).get("timestamp"))
    if gone_at is not None and device.registered_at is not None and gone_at <= device.registered_at:
        return failed(reason)
    return Outcome(Verdict.UNREGISTERED, reason)


def _moment(milliseconds: object) -> datetime | None:
    if not isinstance(milliseconds, int) or isinstance(milliseconds, bool):
        return None
    try:
        return from_ms(milliseconds)
    except ValueError:
        return None


_KNOWN = (
    _WRONG_TOKEN
    | _BAD_CREDENTIALS
    | _THIS_MESSAGE
    | set(_LATER)
    | {EXPIRED_PROVIDER_TOKEN, "Unregistered", "ExpiredToken"}
)
