"""Access tokens by OAuth 2.0, for Google and Huawei (spec/push-api.md §11.1, §12.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from powerauth_push.providers.answers.reading import json_object, retry_after
from powerauth_push.providers.http1 import Http1Client
from powerauth_push.providers.http2.exchange import Answer, NoAnswer
from powerauth_push.providers.outcomes import Outcome, Verdict, bad_credentials
from powerauth_push.providers.tokens import AccessToken, NoToken
from servicekit import clock

_FORM = {"content-type": "application/x-www-form-urlencoded"}
_DEFAULT_SECONDS = 3600
_TOKEN = re.compile(r"[!-~]{1,8192}")
_REFUSALS = {
    "invalid_client",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "unauthorized_client",
    "unsupported_grant_type",
}


async def fetch_token(http: Http1Client, url: str, form: Mapping[str, str]) -> AccessToken:
    """Ask a token endpoint.

    :raises NoToken: it cannot be reached, does not know us, or gives no token
    """
    try:
        answer = await http.post(url, _FORM, urlencode(form).encode())
    except NoAnswer as failure:
        raise NoToken(_later(f"token endpoint: {failure.reason}")) from None
    members = json_object(answer.body)
    token, seconds = members.get("access_token"), members.get("expires_in", _DEFAULT_SECONDS)
    if 200 <= answer.status < 300 and isinstance(token, str) and _TOKEN.fullmatch(token):
        whole = isinstance(seconds, int) and not isinstance(seconds, bool)
        return AccessToken.lasting(token, seconds if whole else _DEFAULT_SECONDS)
    raise NoToken(_refusal(answer, members.get("error")))


def _refusal(answer: Answer, error: object) -> Outcome:
    if answer.status in (400, 401, 403):
        return bad_credentials(f"token endpoint: {error if error in _REFUSALS else answer.status}")
    asked = retry_after(answer.header(b"retry-after"), clock.now())
    return _later(f"token endpoint: status {answer.status}", asked)


def _later(reason: str, seconds: float | None = None) -> Outcome:
    return Outcome(Verdict.LATER, reason, seconds, provider_wide=True)
