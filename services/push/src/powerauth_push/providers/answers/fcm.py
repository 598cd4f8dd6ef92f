"""What Google's answers mean (spec/push-api.md §11.4)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from powerauth_push.providers.answers.reading import json_object, retry_after
from powerauth_push.providers.outcomes import SENT, Outcome, Verdict, bad_credentials, failed

UNAUTHORIZED = 401
QUOTA_SECONDS = 60.0
_NAME = re.compile(r"projects/.+/messages/.+")
_ERROR_TYPE = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST_TYPE = "type.googleapis.com/google.rpc.BadRequest"
_TOKEN_FIELD = "message.token"  # noqa: S105
_BAD_CREDENTIALS = {"THIRD_PARTY_AUTH_ERROR", "APNS_AUTH_ERROR"}
_LATER = {"UNAVAILABLE", "INTERNAL", "QUOTA_EXCEEDED"}
_KNOWN = _BAD_CREDENTIALS | _LATER | {"UNREGISTERED", "INVALID_ARGUMENT", "SENDER_ID_MISMATCH"}


def error_code(body: bytes) -> str | None:
    """The code of FCM in an answer; None: there is none that is known."""
    for detail in _details(body):
        if detail.get("@type") == _ERROR_TYPE and detail.get("errorCode") in _KNOWN:
            return str(detail["errorCode"])
    return None


def is_doubtful(body: bytes) -> bool:
    """Whether an answer blames an argument and does not say which: the token, or something of the message."""
    return error_code(body) == "INVALID_ARGUMENT" and len(_details(body)) == 1


def outcome(status: int, body: bytes, pause: str | None, now: datetime, *, proven: bool) -> Outcome:
    """What an answer means for the message and its device; after a 401 a new token comes first.

    :param pause: the `Retry-After` header
    :param proven: where the answer `is_doubtful`, whether it is the token
    """
    if 200 <= status < 300:
        name = json_object(body).get("name")
        return SENT if isinstance(name, str) and _NAME.fullmatch(name) else failed("no message name")
    code = error_code(body)
    match code:
        case "UNREGISTERED":
            return Outcome(Verdict.UNREGISTERED, code)
        case "INVALID_ARGUMENT":
            return Outcome(Verdict.WRONG_TOKEN, code) if proven or _blames_token(body) else failed(code)
        case "SENDER_ID_MISMATCH":
            return failed(code)
    if code in _BAD_CREDENTIALS:
        return bad_credentials(code or "")
    return _without_verdict(status, code, retry_after(pause, now))


def _without_verdict(status: int, code: str | None, asked: float | None) -> Outcome:
    reason = code or f"status {status}"
    if code == "QUOTA_EXCEEDED" or status == 429:
        return Outcome(Verdict.LATER, reason, QUOTA_SECONDS if asked is None else asked, provider_wide=True)
    if code in _LATER or status >= 500:
        return Outcome(Verdict.LATER, reason, asked, provider_wide=True)
    if status in (UNAUTHORIZED, 403, 404):
        # Not a device's: the project is another, or this account may not send for it.
        return bad_credentials(reason)
    return failed(reason)


def _blames_token(body: bytes) -> bool:
    """Whether the token is the argument that is invalid, and not the message."""
    blamed = [
        detail.get("fieldViolations") for detail in _details(body) if detail.get("@type") == _BAD_REQUEST_TYPE
    ]
    violations = [violation for some in blamed if isinstance(some, list) for violation in some]
    return any(isinstance(one, dict) and one.get("field") == _TOKEN_FIELD for one in violations)


def _details(body: bytes) -> list[dict[str, Any]]:
    error = json_object(body).get("error")
    details = error.get("details") if isinstance(error, dict) else None
    if not isinstance(details, list):
        return []
    return [detail for detail in details if isinstance(detail, dict)]
