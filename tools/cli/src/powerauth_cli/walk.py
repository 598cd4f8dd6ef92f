"""`make walk`: what four trips touch of our own code, on a real stack in this process.

Core, cloud and push work on PostgreSQL and without periodic jobs, the services call each other over the
network, every trip has been made twice before it is traced, then it is traced seven times. A file is touched
when a function of it runs in every one of the seven, and the other figures are the lowest of them, so that
what happens to run at the same time is no part of the trip. A move is a call whose caller of ours stands in
another file; a coroutine that goes on is no new call, a comprehension is none (newer interpreters do not even
make a frame for it), and what a dataclass generates for itself stands in no file. What the phone or the bank
does itself is left out: a call is theirs when the SDK, or this module, is among its callers. What follows an
answer (audit, outbox, events and those who hear of them) belongs to the trip as long as it comes within
`_AFTERMATH_SECONDS`; what follows the preparation of a trip is over before the trip begins.
"""

from __future__ import annotations

import asyncio
import contextlib
import dis
import inspect
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from powerauth_cli.all_in_one import AllInOne
from powerauth_cli.demo.bank import Bank
from powerauth_sdk import AppConfig, Device
from powerauth_sdk.transport import HttpTransport, Transport
from servicekit.logs import configure_logging
from servicekit.testing import fresh_database

PACKAGES = (
    "enrollment",
    "powerauth_core",
    "cloud_private_api",
    "powerauth_push",
    "powerauth_contracts",
    "powerauth_protocol",
    "servicekit",
)
_WITHOUT_JOBS = {name: {"jobs_enabled": False} for name in ("core", "push")}
_WARM_UPS = 2
_TRACES = 7
_AFTERMATH_SECONDS = 0.2
_PIN = "1234"
_CUSTOMER = {"userId": "walker", "appId": "walk-bank"}
_TEMPLATE = {
    "templateName": "walk-payment",
    "operationType": "walk_payment",
    "dataTemplate": "A1*A${amount}${currency}",
    "signatureType": ["POSSESSION_KNOWLEDGE"],
    "maxFailureCount": 5,
    "expiration": 300,
}
Steps = Callable[[], Awaitable[None]]
_COMPREHENSIONS = frozenset({"<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"})
_RESUMABLE = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


@dataclass(slots=True)
class Trace:
    """What one trip touched.

    :ivar calls: number of calls by (package, file)
    :ivar moves: calls that came from another file of ours, or from outside
    :ivar deepest: frames of ours on top of each other
    """

    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    moves: int = 0
    deepest: int = 0

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        """Count one event of `sys.setprofile`."""
        if event != "call" or (place := _place(frame)) is None or _goes_on(frame):
            return
        callers, device = _callers(frame)
        if device:
            return
        self.calls[place] += 1
        self.moves += not callers or callers[0] != place
        self.deepest = max(self.deepest, 1 + len(callers))


def _line(trip: str, traces: Sequence[Trace]) -> str:
    """One line of the table."""
    touched = set.intersection(*[set(trace.calls) for trace in traces])
    files = Counter(package for package, _ in touched)
    by_package = ", ".join(f"{name} {files[name]}" for name in PACKAGES if files[name])
    calls, moves, deepest = (
        min(figures) for figures in zip(*[(t.calls.total(), t.moves, t.deepest) for t in traces], strict=True)
    )
    return f"{trip:18}{len(touched):4} files ({by_package}), {calls} calls, {moves} moves, {deepest} deep"


def _place(frame: FrameType) -> tuple[str, str] | None:
    """Package and file of a function of the services; None for anybody else's, and for what is in no file."""
    package, file = frame.f_globals.get("__name__", "").partition(".")[0], frame.f_code.co_filename
    return (package, file) if package in PACKAGES and file[0] != "<" else None


def _goes_on(frame: FrameType) -> bool:
    """Whether this is no call but a coroutine or generator that goes on, or a comprehension."""
    code = frame.f_code
    if code.co_name in _COMPREHENSIONS:
        return True
    return bool(code.co_flags & _RESUMABLE) and frame.f_lasti > _start(code)


@cache
def _start(code: CodeType) -> int:
    """Where the body of a function begins: its first `RESUME`."""
    return next(step.offset for step in dis.get_instructions(code) if step.opname == "RESUME")


def _is_device(frame: FrameType) -> bool:
    """Whether a frame is the SDK's or a trip's; `main`, on which the event loop stands, is neither."""
    ours = frame.f_globals is globals() and frame.f_code.co_flags & inspect.CO_COROUTINE
    return bool(ours) or str(frame.f_globals.get("__name__")).startswith("powerauth_sdk")


def _callers(frame: FrameType) -> tuple[list[tuple[str, str]], bool]:
    """The places of ours below a frame, nearest first, and whether a phone or a bank is among them."""
    places, caller = [], frame.f_back
    while caller is not None:
        if _is_device(caller):
            return [], True
        if (place := _place(caller)) is not None:
            places.append(place)
        caller = caller.f_back
    return places, False


async def _traced(trip: Callable[[], Awaitable[Steps]]) -> Trace:
    """Make a trip and look at it, once all that its preparation set off is over."""
    steps, trace = await trip(), Trace()
    await asyncio.sleep(_AFTERMATH_SECONDS)
    sys.setprofile(trace)
    try:
        await steps()
        await asyncio.sleep(_AFTERMATH_SECONDS)
    finally:
        sys.setprofile(None)
    return trace


class Trips:
    """The four trips of one activated phone and its bank."""

    def __init__(self, bank: Bank, config: AppConfig, transport: Transport) -> None:
        self._bank = bank
        self._config = config
        self._transport = transport
        self._phone = Device(config, transport)
        self._registration = ""

    async def walk(self) -> None:
        """Make every trip until it is warm, then trace it and print what it touched."""
        for trip in (self.activation, self.signature, self.operation, self.status):
            for _ in range(_WARM_UPS):
                await (await trip())()
                await asyncio.sleep(_AFTERMATH_SECONDS)
            traces = [await _traced(trip) for _ in range(_TRACES)]
            print(_line(trip.__name__, traces), flush=True)

    async def activation(self) -> Steps:
        """A key exchange by activation code, from the request of the temporary key on."""
        registration = await self._bank.call("POST", "/v2/registrations", _CUSTOMER)
        phone = Device(self._config, self._transport)

        async def steps() -> None:
            await phone.activate_with_code(registration["activationQrCodeData"], _PIN)

        self._phone, self._registration = phone, registration["registrationId"]
        return steps

    async def signature(self) -> Steps:
        """A signed request to enrollment: header, verdict, answer."""
        status = await self._bank.registration(self._registration)
        if status["registrationStatus"] == "PENDING_COMMIT":
            await self._bank.call("POST", f"/v2/registrations/{self._registration}/commit")

        async def steps() -> None:
            await self._phone.validate_signature(pin=_PIN)

        return steps

    async def operation(self) -> Steps:
        """An operation that the bank creates, with its event."""

        async def steps() -> None:
            await self._bank.create_operation(
                _CUSTOMER["userId"], "walk-payment", parameters={"amount": "1", "currency": "EUR"}
            )

        return steps

    async def status(self) -> Steps:
        """The phone reads its status."""

        async def steps() -> None:
            await self._phone.status()

        return steps


async def _walk() -> None:
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        databases = {
            name: {
                "database_url": await stack.enter_async_context(fresh_database("postgresql", folder)),
                "request_log": False,
                **_WITHOUT_JOBS.get(name, {}),
            }
            for name in ("core", "cloud", "push")
        }
        services = AllInOne(folder / "data", port=None, settings=databases)
        running = await stack.enter_async_context(services)
        admin = Bank(running.cloud_url, *running.admin)
        stack.push_async_callback(admin.close)
        name = _CUSTOMER["appId"]
        application = await admin.call("POST", "/admin/applications", {"id": name})
        user = await admin.call("POST", "/admin/users", {"username": name})
        await admin.call("POST", f"/admin/users/{name}/applications/{name}")
        await admin.call("POST", "/admin/operations/templates", _TEMPLATE)
        bank = Bank(running.cloud_url, user["username"], user["password"])
        stack.push_async_callback(bank.close)
        config = AppConfig.from_sdk_config(running.enrollment_url, application["mobileSdkConfig"])
        transport = HttpTransport(config.base_url)
        stack.push_async_callback(transport.close)
        await Trips(bank, config, transport).walk()


def main() -> None:
    """Walk; the PostgreSQL server is that of `powerauth_cli.localservers`."""
    configure_logging("walk", "ERROR", json=False)
    asyncio.run(_walk())


if __name__ == "__main__":
    main()
