"""Apple Push Notification service (spec/push-api.md §10)."""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from hpack import NeverIndexedHeaderTuple

from powerauth_protocol.common.errors import EncodingError
from powerauth_push.providers.answers import apns as answers
from powerauth_push.providers.http2.exchange import Answer, Header, NoAnswer, Request
from powerauth_push.providers.http2.sender import Http2Sender
from powerauth_push.providers.messages import Device, Environment, Message, resolved_environment
from powerauth_push.providers.outcomes import Outcome, Verdict, failed
from powerauth_push.providers.payloads import apns as payloads
from powerauth_push.providers.provider import without_answer
from powerauth_push.providers.tokens import ApnsTokens
from servicekit import clock


class ApnsClient:
    """Sends for one application.

    :param bundle: the topic
    :param senders: to Apple's services; without one the devices that only it knows cannot be reached
    :param tokens: None: TLS shows who we are
    :param environment: of the application's credentials
    :param use_development: of the installation
    """

    name = "apns"

    def __init__(
        self,
        bundle: str,
        senders: Mapping[Environment, Http2Sender],
        tokens: ApnsTokens | None,
        environment: Environment | None,
        *,
        use_development: bool,
    ) -> None:
        self._senders = senders
        self._tokens = tokens
        self._environment = environment
        self._use_development = use_development
        self._topic = (b"apns-topic", bundle.encode())
        self._heads = {environment: _head(sender) for environment, sender in senders.items()}

    def lane(self, device: Device) -> str:
        """See `Provider.lane`; a key can be good for one of Apple's services alone."""
        return str(self._environment_of(device))

    async def send(self, message: Message, device: Device, delivery: UUID) -> Outcome:
        """See `Provider.send`; `apns-id` names the delivery."""
        environment = self._environment_of(device)
        token = payloads.hexadecimal(device.token)
        if environment is None or environment not in self._senders:
            return failed("environment not served")
        if not token:
            return Outcome(Verdict.WRONG_TOKEN, "BadDeviceToken")
        try:
            body = payloads.payload(message)
        except EncodingError:
            return failed("extras are not JSON")
        if len(body) > payloads.MAX_PAYLOAD_BYTES:
            return failed("PayloadTooLarge")
        headers = self._headers(environment, message, token, delivery)
        return await self._send(self._senders[environment], headers, body, device)

    async def close(self, grace_seconds: float = 0.0) -> None:
        """See `Provider.close`."""
        for sender in self._senders.values():
            await sender.close(grace_seconds)

    def _environment_of(self, device: Device) -> Environment | None:
        return resolved_environment(
            device.environment, self._environment, use_development=self._use_development
        )

    async def _send(self, sender: Http2Sender, headers: list[Header], body: bytes, device: Device) -> Outcome:
        authorization = self._tokens.current() if self._tokens is not None else None
        try:
            answer = await self._exchange(sender, headers, authorization, body)
            if self._may_try_another(answer, authorization):
                assert self._tokens is not None
                answer = await self._exchange(sender, headers, self._tokens.current(), body)
        except NoAnswer as failure:
            return without_answer(failure)
        pause = answer.header(b"retry-after")
        return answers.outcome(answer.status, answer.body, pause, device, clock.now())

    @staticmethod
    async def _exchange(
        sender: Http2Sender, headers: list[Header], authorization: bytes | None, body: bytes
    ) -> Answer:
        proof: list[Header] = [] if authorization is None else [(b"authorization", authorization)]
        return await sender.send(Request([*headers, *proof], body))

    def _may_try_another(self, answer: Answer, authorization: bytes | None) -> bool:
        """Whether Apple finds our token too old and there is a newer one."""
        if authorization is None or self._tokens is None or answer.status != 403:
            return False
        expired = answers.reason_of(answer.status, answer.body) == answers.EXPIRED_PROVIDER_TOKEN
        return expired and self._tokens.refused(authorization)

    def _headers(
        self, environment: Environment, message: Message, token: str, delivery: UUID
    ) -> list[Header]:
        content = message.content
        headers: list[Header] = [
            *self._heads[environment],
            NeverIndexedHeaderTuple(b":path", b"/3/device/" + token.encode()),
            self._topic,
            (b"apns-push-type", payloads.push_type(message).encode()),
            (b"apns-priority", payloads.priority(message).encode()),
            NeverIndexedHeaderTuple(b"apns-id", str(delivery).encode()),
            NeverIndexedHeaderTuple(b"apns-expiration", payloads.expiration(content).encode()),
        ]
        collapse_id = payloads.collapse_id(content)
        if collapse_id is not None:
            headers.append(NeverIndexedHeaderTuple(b"apns-collapse-id", collapse_id.encode()))
        return headers


def _head(sender: Http2Sender) -> list[Header]:
    return [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", sender.origin.authority.encode()),
    ]
