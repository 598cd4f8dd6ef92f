"""What Huawei's answers mean (spec/push-api.md §12.3)."""

from __future__ import annotations

from datetime import datetime

from powerauth_push.providers.answers.reading import json_object, retry_after
from powerauth_push.providers.outcomes import SENT, Outcome, Verdict, bad_credentials, failed

TOKEN_REFUSED = {"80200001", "80200003"}
FLOW_CONTROL_SECONDS = 60.0
_SUCCESS = "80000000"
_PART_INVALID = "80100000"
_ALL_INVALID = "80300007"
_MAY_NOT_SEND = "80300002"
_LATER = {"80600003", "81000001"}
_THIS_MESSAGE = {
    "80100001",
    "80100003",
    "80100004",
    "80100013",
    "80100016",
    "80300008",
    "80300010",
    "80300011",
}
_KNOWN = TOKEN_REFUSED | _LATER | _THIS_MESSAGE | {_SUCCESS, _PART_INVALID, _ALL_INVALID, _MAY_NOT_SEND}


def code_of(status: int, body: bytes) -> str:
    """Huawei's code; for any that is not known the status."""
    code = json_object(body).get("code")
    return str(code) if code in _KNOWN else f"status {status}"


def outcome(status: int, body: bytes, pause: str | None, now: datetime, *, proven: bool) -> Outcome:
    """What an answer means for the message and its device.

    :param pause: the `Retry-After` header
    :param proven: whether this application has reached any device: where every token is invalid, it is rather
        the application that is configured wrongly
    """
    code = code_of(status, body)
    if code == _SUCCESS and status < 300:
        return SENT
    if code == _PART_INVALID or (code == _ALL_INVALID and proven):
        return Outcome(Verdict.WRONG_TOKEN, code)
    if code == _MAY_NOT_SEND or code in TOKEN_REFUSED or status in (401, 403):
        return bad_credentials(code)
    asked = retry_after(pause, now)
    if status in (429, 503):
        return Outcome(
            Verdict.LATER, code, FLOW_CONTROL_SECONDS if asked is None else asked, provider_wide=True
        )
    if code in _LATER or status >= 500:
        return Outcome(Verdict.LATER, code, asked, provider_wide=True)
    return failed(code)
