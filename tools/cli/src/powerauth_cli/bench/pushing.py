"""Messages through each provider's client to the fake ones, in turn with a bare loop of h2 sending the same.

The fake providers are a process of their own, so that the CPU time is the client's alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import ssl
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

from rich.console import Console

from powerauth_cli.bench.bare_http2 import BareConnection
from powerauth_cli.bench.load import LoadResult, run_load
from powerauth_cli.bench.run import Measured, Plan, add
from powerauth_cli.fakes.command import APNS_FILE, CA_FILE, FCM_FILE, READY
from powerauth_cli.fakes.stack import BUNDLE, HMS_CLIENT, HMS_PROJECT, HMS_SECRET, KEY, PROJECT, TEAM
from powerauth_push.providers.building import ApnsOptions, Clients, FcmOptions, HmsOptions
from powerauth_push.providers.credentials import apns_key, fcm_account, hms_client
from powerauth_push.providers.delivery import Courier
from powerauth_push.providers.gate import Gate
from powerauth_push.providers.http2.exchange import Answer, Request
from powerauth_push.providers.http2.sender import Http2Sender
from powerauth_push.providers.messages import Content, Device, Environment, Message
from powerauth_push.providers.network import Origin, Route, http2_tls
from powerauth_push.providers.outcomes import Verdict
from powerauth_push.providers.provider import Provider
from powerauth_push.providers.rules import RetryPolicy

_MESSAGE = Message(
    Content(
        title="Payment",
        body="Approve 100.00 EUR to account 238400856/0300",
        sound="default",
        category="payment",
        collapse_key="1",
        extras={
            "messageType": "mtoken.operationInit",
            "operationId": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "operationName": "payment",
        },
    )
)
_TOKENS = 1000
_DEVICES = [Device(f"{number:064x}", Environment.PRODUCTION) for number in range(1, _TOKENS + 1)]
_NAMES = [uuid4() for _ in _DEVICES]
_OK = 200
_START_SECONDS = 60.0
One = Callable[[int], Awaitable[bool]]


async def measure_push(console: Console, plan: Plan) -> Measured:
    """Run each provider's path and the bare loops in turn, and add the rounds up."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        async with _fakes(Path(folder)) as environment:
            paths = _Paths(Path(folder), environment, plan.clients)
            try:
                return await _measured(console, plan, await paths.loads())
            finally:
                await paths.close()


async def _measured(console: Console, plan: Plan, loads: Mapping[str, One]) -> Measured:
    totals: dict[str, LoadResult] = {}
    for name, one in loads.items():
        console.print(f"warming up {name} …")
        await run_load(plan.clients, 0.5, one, name)
    for _ in range(plan.rounds):
        for name, one in loads.items():
            before = _cpu_seconds()
            result = await run_load(plan.clients, plan.seconds, one, name)
            result = replace(result, cpu=Counter({"client": _cpu_seconds() - before}))
            add(totals, name, result)
    return Measured(totals)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@contextlib.asynccontextmanager
async def _fakes(folder: Path) -> AsyncIterator[Mapping[str, str]]:
    """The fake providers as a process of their own; what they tell of themselves."""
    command = ("-m", "powerauth_cli", "fakes", "push", "--quiet", "--folder", str(folder))
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    environment: dict[str, str] = {}
    try:
        async with asyncio.timeout(_START_SECONDS):
            while (line := (await process.stdout.readline()).decode().strip()) != READY:
                if not line:
                    raise RuntimeError("the fake providers did not start")
                name, _, value = line.partition("=")
                environment[name] = value
        yield environment
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


class _Tapped(Http2Sender):
    """A sender that remembers its first requests, for others to send the same."""

    def __init__(self, origin: Origin, tls: ssl.SSLContext, route: Route) -> None:
        super().__init__(origin, tls, route)
        self.requests: list[Request] = []

    async def send(self, request: Request) -> Answer:
        if len(self.requests) < _TOKENS:
            self.requests.append(request)
        return await super().send(request)


class _Paths:
    """Everything that is measured."""

    def __init__(self, folder: Path, environment: Mapping[str, str], streams: int) -> None:
        ca_file = folder / CA_FILE
        route = Route(ca_file=ca_file, connections=1, streams=streams)
        self._tls = http2_tls(ca_file)
        self._tapped: list[_Tapped] = []
        self._bare: list[BareConnection] = []
        self._clients = Clients(
            ApnsOptions(
                environment["PUSH_APNS_PRODUCTION_URL"], environment["PUSH_APNS_DEVELOPMENT_URL"], route=route
            ),
            FcmOptions(
                environment["PUSH_FCM_SEND_MESSAGE_URL"], environment["PUSH_FCM_TOKEN_URL"], route=route
            ),
            HmsOptions(
                environment["PUSH_HMS_SEND_MESSAGE_URL"], environment["PUSH_HMS_TOKEN_URL"], route=route
            ),
            self._tap,
        )
        self._providers: dict[str, Provider] = {
            "apns": self._clients.apns(apns_key(BUNDLE, TEAM, KEY, (folder / APNS_FILE).read_bytes())),
            "fcm": self._clients.fcm(
                fcm_account(PROJECT, (folder / FCM_FILE).read_bytes(), any_token_url=True)
            ),
            "hms": self._clients.hms(hms_client(HMS_PROJECT, HMS_CLIENT, HMS_SECRET)),
        }

    async def loads(self) -> dict[str, One]:
        """What is measured, by name; each bare loop beside what it repeats."""
        loads = {name: _through(provider) for name, provider in self._providers.items()}
        for name in ("apns", "fcm"):
            loads[f"{name} bare h2"] = await self._repeated(loads[name])
        return dict(sorted(loads.items()))

    async def close(self) -> None:
        """Close all connections."""
        for connection in self._bare:
            connection.close()
        for provider in self._providers.values():
            await provider.close()
        await self._clients.close()

    def _tap(self, origin: Origin, tls: ssl.SSLContext, route: Route) -> _Tapped:
        made = _Tapped(origin, tls, route)
        self._tapped.append(made)
        return made

    async def _repeated(self, one: One) -> One:
        """A bare loop of the requests that a client makes."""
        before = [len(sender.requests) for sender in self._tapped]
        await asyncio.gather(*[one(number) for number in range(_TOKENS)])
        (sender,) = [
            sender for sender, count in zip(self._tapped, before, strict=True) if len(sender.requests) > count
        ]
        connection = await BareConnection.to(sender.origin.host, sender.origin.port, self._tls)
        self._bare.append(connection)
        requests = sender.requests
        await connection.send(requests[0])  # the server allows one request before it knows us

        async def again(number: int) -> bool:
            return await connection.send(requests[number % _TOKENS]) == _OK

        return again


def _through(provider: Provider) -> One:
    courier = Courier(provider, "bench", RetryPolicy(), Gate())

    async def one(number: int) -> bool:
        device, name = _DEVICES[number % _TOKENS], _NAMES[number % _TOKENS]
        return (await courier.deliver(_MESSAGE, device, name)).verdict is Verdict.SENT

    return one
