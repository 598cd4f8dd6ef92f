"""Huawei Push Kit (spec/push-api.md §12)."""

from __future__ import annotations

from uuid import UUID

from powerauth_protocol.common.errors import EncodingError
from powerauth_push.providers.answers import hms as answers
from powerauth_push.providers.http1 import Http1Client
from powerauth_push.providers.http2.exchange import Answer, NoAnswer
from powerauth_push.providers.messages import Device, Message
from powerauth_push.providers.outcomes import Outcome, Verdict, failed
from powerauth_push.providers.payloads import hms as payloads
from powerauth_push.providers.payloads.hms import HmsStyle
from powerauth_push.providers.provider import without_answer
from powerauth_push.providers.tokens import NoToken, RenewedToken
from servicekit import clock


class HmsClient:
    """Sends for one application.

    :param url: of the project's messages
    """

    name = "hms"

    def __init__(self, http: Http1Client, url: str, tokens: RenewedToken, style: HmsStyle) -> None:
        self._http = http
        self._url = url
        self._tokens = tokens
        self._style = style
        self._proven = False

    def lane(self, device: Device) -> str:
        """See `Provider.lane`; there is one."""
        return ""

    async def send(self, message: Message, device: Device, delivery: UUID) -> Outcome:
        """See `Provider.send`; Huawei knows no name for a delivery."""
        now = clock.now()
        try:
            body = payloads.body(message, device.token, now, self._style)
            if body is None:
                return failed("silent without extras")
            answer = await self._exchange(body)
        except EncodingError:
            return failed("extras are not JSON")
        except NoToken as missing:
            return missing.outcome
        except NoAnswer as failure:
            return without_answer(failure)
        outcome = answers.outcome(
            answer.status, answer.body, answer.header(b"retry-after"), now, proven=self._proven
        )
        self._proven = self._proven or outcome.verdict is Verdict.SENT
        return outcome

    async def close(self, grace_seconds: float = 0.0) -> None:
        """See `Provider.close`."""
        await self._tokens.close(grace_seconds)

    async def _exchange(self, body: bytes) -> Answer:
        """Send, once more with a new token where the last one is not taken."""
        token = await self._tokens.current()
        answer = await self._post(body, token.value)
        if answers.code_of(answer.status, answer.body) not in answers.TOKEN_REFUSED and answer.status != 401:
            return answer
        self._tokens.refused(token)
        return await self._post(body, (await self._tokens.current()).value)

    async def _post(self, body: bytes, authorization: str) -> Answer:
        headers = {"authorization": authorization, "content-type": "application/json"}
        return await self._http.post(self._url, headers, body)
