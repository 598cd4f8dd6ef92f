"""Requests to fake servers, and the clients of a bank's application for all fake providers."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from powerauth_cli.fakes.authority import LOOPBACK
from powerauth_cli.fakes.huawei import TOKEN_PATH
from powerauth_cli.fakes.stack import (
    BUNDLE,
    HMS_CLIENT,
    HMS_PROJECT,
    HMS_SECRET,
    KEY,
    PROJECT,
    TEAM,
    FakeProviders,
)
from powerauth_cli.fakes.wire import Received, Reply
from powerauth_push.providers.apns import ApnsClient
from powerauth_push.providers.building import ApnsOptions, Clients, FcmOptions, HmsOptions
from powerauth_push.providers.credentials import apns_key, fcm_account, hms_client
from powerauth_push.providers.fcm import FcmClient
from powerauth_push.providers.hms import HmsClient
from powerauth_push.providers.http2.exchange import Answer, NoAnswer, Request
from powerauth_push.providers.http2.sender import Http2Sender
from powerauth_push.providers.messages import Content, Device, Environment, Message
from powerauth_push.providers.network import ClientCertificate, Origin, Route, http2_tls
from powerauth_push.providers.outcomes import Outcome
from powerauth_push.providers.provider import Provider
from servicekit.testing import PATIENCE_SECONDS

PATIENT = Route(connect_seconds=60, send_seconds=120)
"""No test depends on how fast the machine is."""
TOKEN = "ab" * 32


@dataclass
class Echo:
    """Answers with what it got, and remembers it."""

    bodies: Counter[bytes] = field(default_factory=Counter)

    def __call__(self, received: Received) -> Reply:
        self.bodies[received.body] += 1
        return Reply(200, {"apns-id": "x"}, received.body)


class Sender:
    """A sender to a fake server, with its route.

    :param changed: of the route
    """

    def __init__(
        self, port: int, ca_file: Path, certificate: ClientCertificate | None = None, **changed: Any
    ) -> None:
        route = replace(PATIENT, ca_file=ca_file, **changed)
        tls = http2_tls(ca_file, certificate)
        self.inner = Http2Sender(Origin(LOOPBACK, port), tls, route, jitter=lambda: 0.0)
        self.close = self.inner.close

    async def send(self, body: bytes) -> Answer:
        """One request.

        :raises NoAnswer: as the sender says
        """
        headers = [
            (b":method", b"POST"),
            (b":scheme", b"https"),
            (b":authority", b"localhost"),
            (b":path", b"/"),
        ]
        return await self.inner.send(Request(headers, body))

    async def outcome(self, body: bytes) -> Answer | NoAnswer:
        """One request, whatever becomes of it."""
        try:
            return await self.send(body)
        except NoAnswer as failure:
            return failure

    async def warm(self) -> None:
        """Requests until one is answered, however long that takes."""
        while not isinstance(await self.outcome(b"warm"), Answer):  # noqa: ASYNC110 - a pause has no event
            await asyncio.sleep(0.02)

    async def send_all(self, bodies: Iterable[bytes]) -> list[Answer | NoAnswer]:
        """Many at a time."""
        return await asyncio.gather(*[self.outcome(body) for body in bodies])


def numbered(count: int, size: int = 0) -> list[bytes]:
    """Bodies that differ."""
    return [b"%d" % number + b"." * size for number in range(count)]


async def eventually(condition: Callable[[], object]) -> None:
    """Wait for what must come."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.005)


def answered(results: Sequence[Answer | NoAnswer]) -> list[bytes]:
    """The bodies that came back."""
    return [result.body for result in results if isinstance(result, Answer)]


MESSAGE = Message(
    Content(
        title="Payment",
        body="Approve 100 EUR",
        sound="default",
        category="payment",
        collapse_key="1",
        badge=1,
        extras={"operationId": "a1", "messageType": "mtoken.operationInit"},
    )
)


@dataclass
class Bank:
    """The clients of one application."""

    clients: Clients
    apns: ApnsClient
    fcm: FcmClient
    hms: HmsClient

    def all(self) -> list[Provider]:
        """One for each provider."""
        return [self.apns, self.fcm, self.hms]

    async def close(self) -> None:
        """Close all connections."""
        for client in self.all():
            await client.close()
        await self.clients.close()


def clients_of(fakes: FakeProviders, route: Route) -> Clients:
    """Clients that find fake providers."""
    route = replace(route, ca_file=fakes.authority.ca_file)
    return Clients(
        ApnsOptions(fakes.production.url, fakes.development.url, route=route),
        FcmOptions(f"{fakes.fcm.url}/v1/projects/%s/messages:send", fakes.google.token_url, route=route),
        HmsOptions(f"{fakes.hms.url}/v2/%s/messages:send", f"{fakes.hms.url}{TOKEN_PATH}", route=route),
    )


def bank_of(fakes: FakeProviders, route: Route = PATIENT) -> Bank:
    """Clients with credentials that the fake providers accept."""
    clients = clients_of(fakes, route)
    return Bank(
        clients,
        clients.apns(apns_key(BUNDLE, TEAM, KEY, fakes.apns_key)),
        clients.fcm(fcm_account(PROJECT, fakes.fcm_file, any_token_url=True)),
        clients.hms(hms_client(HMS_PROJECT, HMS_CLIENT, HMS_SECRET)),
    )


async def send(client: Provider, message: Message = MESSAGE, device: Device | None = None) -> Outcome:
    """One message to one phone."""
    return await client.send(message, device or Device(TOKEN, Environment.PRODUCTION), uuid4())
