"""Customers who go about their business whatever happens, and remember what they were told."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar

import httpx2
from fault_calls import World
from fault_load import APPLICATION, OPERATION_TYPE, TEMPLATE

from powerauth_cli.demo.bank import Bank, BankRefused
from powerauth_sdk import AppConfig, Device
from powerauth_sdk.errors import SdkError, ServerRefused, ServerUnreachable
from powerauth_sdk.mobile_token import MobileToken, Operation
from powerauth_sdk.transport import Answer, HttpTransport

T = TypeVar("T")

PIN = "1234"
FOR_GOOD = 1_000
"""Tries of a client that does not give up."""
_PAUSE_SECONDS = 0.2
_AMOUNT = {"amount": "100.00", "currency": "CZK"}
_TEXT = {"title": "Confirm payment", "message": "You pay ${amount} ${currency}.", "attributes": []}
_FINISHED = "OPERATION_ALREADY_FINISHED"
_UNAVAILABLE = frozenset({409, 502, 503, 504})


class Wire(HttpTransport):
    """Remembers the last request, as somebody on the way could."""

    last: tuple[str, str, Mapping[str, str], bytes] = ("", "", {}, b"")

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send and remember it."""
        self.last = (method, path, headers, body)
        return await super().send(method, path, headers, body)


@dataclass
class Told:
    """What clients were told.

    :ivar done: journeys that came to their end, by kind
    :ivar failed: calls that were not served, by what they were told
    :ivar approved: answers "approved", by operation
    :ivar found_approved: operations whose approval was not answered, and which turned out to be approved
    :ivar taken_twice: requests that were accepted a second time
    :ivar moments: of :func:`time.monotonic`, at which an approval was answered
    """

    done: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    approved: Counter[str] = field(default_factory=Counter)
    found_approved: set[str] = field(default_factory=set)
    taken_twice: list[str] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)

    @property
    def longest_pause(self) -> float:
        """Seconds between two approvals, at most."""
        pairs = zip(self.moments, self.moments[1:], strict=False)
        return max((later - earlier for earlier, later in pairs), default=0.0)

    def __str__(self) -> str:
        done = ", ".join(f"{count} {kind}" for kind, count in sorted(self.done.items()))
        failed = ", ".join(f"{count} x {text}" for text, count in self.failed.most_common())
        return (
            f"done: {done}; not served: {self.failed.total()} ({failed or 'none'}); approved unanswered:"
            f" {len(self.found_approved)}; longest pause between approvals: {self.longest_pause:.1f} s"
        )


class Customer:
    """A user with a phone, and the bank that asks for approvals.

    :param tries: how often a call is made until it is served; 1: by a client that does not come again
    """

    def __init__(self, user_id: str, config: AppConfig, world: World, bank: Bank, tries: int) -> None:
        self._user_id = user_id
        self._world = world
        self._bank = bank
        self._tries = tries
        self._wire = Wire(config.base_url)
        self._device = Device(config, self._wire)
        self._token = MobileToken(self._device)

    async def join(self, told: Told) -> None:
        """Have the phone activated."""
        created = await self._insist(
            told,
            lambda: self._world.core.call("activation/init", userId=self._user_id, applicationId=APPLICATION),
        )
        # A code whose exchange was not answered is used: the user asks for another.
        with suppress(ServerRefused):
            await self._insist(told, lambda: self._device.activate_with_code(created["activationCode"], PIN))
        if not self._device.activated:
            return await self.join(told)
        await self._insist(told, self._commit)
        await self._insist(told, self._device.token)
        told.done["activations"] += 1
        return None

    async def _commit(self) -> None:
        activation_id = self._device.state.activation_id
        detail = await self._world.core.call("activation/status", activationId=activation_id)
        if detail["activationStatus"] != "ACTIVE":  # committed without an answer
            await self._world.core.call("activation/commit", activationId=activation_id)

    async def visit(self, told: Told) -> None:
        """Log in, look at what is pending, and approve what the bank asks for."""
        await self._insist(told, self._device.status)
        await self._insist(told, lambda: self._device.validate_signature(pin=PIN))
        await self._taken_once(told, "signature")
        told.done["logins"] += 1
        created = await self._insist(
            told, lambda: self._bank.create_operation(self._user_id, TEMPLATE, parameters=_AMOUNT)
        )
        wanted = str(created["operationId"])
        found = await self._insist(told, self._token.pending)
        await self._approve(told, {each.id: each for each in found}[wanted])
        read = await self._insist(told, lambda: self._bank.operation(wanted))
        if read["status"] != "APPROVED":
            told.failed[f"operation read as {read['status']}"] += 1
        told.done["approvals"] += 1

    async def _approve(self, told: Told, operation: Operation) -> None:
        try:
            await self._insist(told, lambda: self._token.approve(operation, PIN))
        except ServerRefused as refusal:
            if refusal.code != _FINISHED:
                raise
            # An earlier try was accepted, and its answer lost.
            told.found_approved.add(operation.id)
        else:
            told.approved[operation.id] += 1
            await self._taken_once(told, operation.id)
        told.moments.append(time.monotonic())

    async def _taken_once(self, told: Told, what: str) -> None:
        """Whoever repeats the request, at whatever replica, is refused."""
        method, path, headers, body = self._wire.last
        somebody = HttpTransport(self._device.config.base_url)
        with suppress(ServerUnreachable):
            if (await somebody.send(method, path, headers, body)).status == 200:
                told.taken_twice.append(what)
        await somebody.close()

    async def _insist(self, told: Told, call: Callable[[], Awaitable[T]]) -> T:
        """Make a call as often as it takes; what no repetition helps with goes on to the caller."""
        for number in range(self._tries):
            try:
                return await call()
            except (SdkError, BankRefused, RuntimeError, httpx2.TransportError) as error:
                if not _is_outage(error) or number + 1 == self._tries:
                    raise
                told.failed[_kind(error)] += 1
            await asyncio.sleep(_PAUSE_SECONDS)
        raise AssertionError

    async def live(self, told: Told, stop: asyncio.Event) -> None:
        """Visit again and again; what goes wrong is remembered."""
        while not stop.is_set():
            try:
                await self.visit(told)
            except (SdkError, BankRefused, RuntimeError, httpx2.TransportError) as error:
                told.failed[_kind(error)] += 1
                await asyncio.sleep(_PAUSE_SECONDS)

    async def close(self) -> None:
        """Close the phone's connections."""
        await self._wire.close()


def _is_outage(error: Exception) -> bool:
    if isinstance(error, ServerUnreachable | httpx2.TransportError):
        return True
    if isinstance(error, ServerRefused):
        return error.http_status in _UNAVAILABLE
    if isinstance(error, BankRefused):
        return error.status in _UNAVAILABLE
    return "HTTP 503" in str(error)


def _kind(error: Exception) -> str:
    if isinstance(error, ServerRefused):
        return f"phone: {error.http_status} {error.code}"
    if isinstance(error, BankRefused):
        return f"bank: {error.status} {error.code}"
    cause = error.__cause__ or error
    where = cause.request.url.path if isinstance(cause, httpx2.TransportError) else str(error)[:80]
    return f"{type(cause).__name__} {where}"


class Customers:
    """Some customers who are at it all the time, and new ones one after the other."""

    def __init__(self, world: World, sdk_config: str, count: int, tries: int) -> None:
        self._world = world
        self._config = AppConfig.from_sdk_config(world.stack.enrollment_url, sdk_config)
        self._bank = Bank(world.stack.cloud_url, *world.bank)
        self._tries = tries
        self._lasting = [self._customer(f"lasting-{number}") for number in range(count)]
        self._number = 0

    def _customer(self, user_id: str) -> Customer:
        return Customer(user_id, self._config, self._world, self._bank, self._tries)

    @asynccontextmanager
    async def at_it(self) -> AsyncIterator[Told]:
        """They are while the block runs."""
        admin = Bank(self._world.stack.cloud_url, *self._world.stack.admin)
        await admin.call("PUT", f"/admin/operations/texts/{OPERATION_TYPE}/en", _TEXT)
        await admin.close()
        await asyncio.gather(*[customer.join(Told()) for customer in self._lasting])
        stop, told = asyncio.Event(), Told()
        tasks = [asyncio.create_task(customer.live(told, stop)) for customer in self._lasting]
        tasks.append(asyncio.create_task(self._newcomers(told, stop)))
        try:
            yield told
        finally:
            stop.set()
            await asyncio.gather(*tasks)
            for customer in self._lasting:
                await customer.close()
            await self._bank.close()

    async def _newcomers(self, told: Told, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._number += 1
            customer = self._customer(f"new-{self._number}")
            try:
                await customer.join(told)
            except (SdkError, RuntimeError, httpx2.TransportError) as error:
                told.failed[_kind(error)] += 1
                await asyncio.sleep(_PAUSE_SECONDS)
            await customer.close()
