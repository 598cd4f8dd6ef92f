"""Firebase Cloud Messaging, HTTP v1 (spec/push-api.md §11)."""

from __future__ import annotations

from uuid import UUID

from powerauth_protocol.common.errors import EncodingError
from powerauth_push.providers.answers import fcm as answers
from powerauth_push.providers.http2.exchange import Answer, NoAnswer, Request
from powerauth_push.providers.http2.sender import Http2Sender
from powerauth_push.providers.messages import Device, Message
from powerauth_push.providers.outcomes import Outcome, failed
from powerauth_push.providers.payloads import fcm as payloads
from powerauth_push.providers.provider import without_answer
from powerauth_push.providers.tokens import NoToken, RenewedToken
from servicekit import clock


class FcmClient:
    """Sends for one application.

    :param sender: to Google, which applications share
    :param path: of the project's messages
    :param data_only: what is to be shown goes to the app as data
    """

    name = "fcm"

    def __init__(self, sender: Http2Sender, path: str, tokens: RenewedToken, *, data_only: bool) -> None:
        self._sender = sender
        self._tokens = tokens
        self._data_only = data_only
        self._head = [
            (b":method", b"POST"),
            (b":scheme", b"https"),
            (b":authority", sender.origin.authority.encode()),
            (b":path", path.encode()),
            (b"content-type", b"application/json"),
        ]

    def lane(self, device: Device) -> str:
        """See `Provider.lane`; there is one."""
        return ""

    async def send(self, message: Message, device: Device, delivery: UUID) -> Outcome:
        """See `Provider.send`; Google knows no name for a delivery."""
        now = clock.now()
        try:
            body = payloads.body(message, device.token, now, data_only=self._data_only)
            answer = await self._exchange(body)
            proven = answers.is_doubtful(answer.body) and await self._is_wrong(device.token)
        except EncodingError:
            return failed("extras are not JSON")
        except payloads.NotTaken as fault:
            return failed(str(fault))
        except NoToken as missing:
            return missing.outcome
        except NoAnswer as failure:
            return without_answer(failure)
        return answers.outcome(answer.status, answer.body, answer.header(b"retry-after"), now, proven=proven)

    async def close(self, grace_seconds: float = 0.0) -> None:
        """See `Provider.close`."""
        await self._tokens.close(grace_seconds)

    async def _is_wrong(self, token: str) -> bool:
        """Whether Google refuses the token with whatever is sent: else the message was at fault."""
        try:
            return answers.is_doubtful((await self._exchange(payloads.question(token))).body)
        except (NoToken, NoAnswer):
            return False

    async def _exchange(self, body: bytes) -> Answer:
        """Send, once more with a new token where the last one is not taken."""
        token = await self._tokens.current()
        answer = await self._post(body, token.value)
        if answer.status != answers.UNAUTHORIZED or answers.error_code(answer.body) is not None:
            return answer
        self._tokens.refused(token)
        return await self._post(body, (await self._tokens.current()).value)

    async def _post(self, body: bytes, authorization: str) -> Answer:
        return await self._sender.send(
            Request([*self._head, (b"authorization", authorization.encode())], body)
        )
