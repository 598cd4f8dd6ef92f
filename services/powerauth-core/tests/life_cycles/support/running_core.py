"""A core that serves HTTP in a thread of its own, for state machines whose steps wait for it."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx2
from core_test_rows import unsound
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from sqlalchemy import text

from powerauth_core import jobs
from powerauth_core.app import create_app
from powerauth_core.container import Core
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.config import App
from powerauth_sdk.phone import Phone
from servicekit.serving import BackgroundServer
from servicekit.testing import PATIENCE_SECONDS

T = TypeVar("T")

SCALE = max(1, int(os.environ.get("POWERAUTH_LIFE_CYCLE_SCALE", "1")))
"""Multiplies the number of sequences."""

EXAMPLES, STEPS = 25, 20


def run_machine(machine: type[RuleBasedStateMachine], server: RunningCore, **bounds: int) -> None:
    """Try the same sequences of calls in every run.

    :param bounds: ``examples`` and ``steps`` where the usual ones take too long
    """
    run_state_machine_as_test(
        type(machine.__name__, (machine,), {"server": server}),
        settings=settings(
            max_examples=bounds.get("examples", EXAMPLES) * SCALE,
            stateful_step_count=bounds.get("steps", STEPS),
            derandomize=True,
            database=None,
            deadline=None,
            # A failure is a few steps long as it is; making it shorter would take minutes.
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )


class Sequence(RuleBasedStateMachine):
    """A machine that chooses each call by the state it is in.

    Rules of their own would be switched off at random for whole sequences, which then stay where they began.
    """

    server: RunningCore

    def choices(self) -> Mapping[str, int]:
        """Names of the methods that may come next, with their weights."""
        raise NotImplementedError

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        """One call."""
        self.draw = data.draw
        weighted = [name for name, weight in self.choices().items() for _ in range(weight)]
        getattr(self, data.draw(st.sampled_from(weighted)))()

    def one_of(self, *values: T) -> T:
        """A value for the current call."""
        chosen: T = self.draw(st.sampled_from(values))
        return chosen


@dataclass
class Answer:
    """``OK`` or the error's code, and the response object."""

    code: str
    body: Any

    def __getitem__(self, name: str) -> Any:
        return self.body[name]


@dataclass
class RunningCore:
    """A core behind a socket.

    :ivar app: the application that the machines use
    """

    settings: Any
    app: App = field(init=False)
    core: Core = field(init=False)

    def __post_init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._stack = AsyncExitStack()

    @contextmanager
    def running(self) -> Iterator[RunningCore]:
        """Start, make an application, stop."""
        self._thread.start()
        try:
            self.run(self._start())
            self.app = self.new_application("bank")
            yield self
            # Whatever was called, in whatever order: no writer of a bound row has left a wrong MAC (D32).
            assert self.run(unsound(self.core)) == set()
        finally:
            self.run(self._stack.aclose())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _start(self) -> None:
        app = create_app(self.settings)
        server = await self._stack.enter_async_context(BackgroundServer(app))
        self.core = app.state.core
        await self.core.relay.stop()  # events stay in the outbox, where they are counted
        # A client of this thread's loop: devices of the tests are asynchronous.
        self._http = await self._stack.enter_async_context(
            httpx2.AsyncClient(base_url=f"{server.url}/powerauth-java-server", timeout=PATIENCE_SECONDS)
        )
        made = await self._send("/rest/v3/integration/create", {"name": "dmz", "kind": "dmz"})
        self._dmz = (made["clientToken"], made["clientSecret"])

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run in the core's loop and wait."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(120)

    def post(self, path: str, /, **request: Any) -> Answer:
        """Call below ``/rest/v3/``."""
        return self.run(self._answer(f"/rest/v3/{path}", request, None))

    def ok(self, path: str, /, **request: Any) -> Any:
        """Call and expect success; the response object."""
        answer = self.post(path, **request)
        assert answer.code == "OK", (path, answer)
        return answer.body

    def dmz(self, path: str, /, **request: Any) -> Answer:
        """Call below ``/dmz/v1/``."""
        return self.run(self._answer(f"/dmz/v1/{path}", request, self._dmz))

    async def call(self, path: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """The core as a device sees it, in the core's loop."""
        return await self._send(f"/rest/v3/{path}", request)

    def job(self, name: str) -> None:
        """Run a job now and wait for what it started."""
        assert self.run(jobs.run_job(self.core, name))
        self.run(self.core.callbacks.idle())

    def rows(self, statement: str, **values: Any) -> list[Any]:
        """Rows of a query."""

        async def read() -> list[Any]:
            async with self.core.database.read() as session:
                return list(await session.execute(text(statement), values))

        return self.run(read())

    def write(self, statement: str, **values: Any) -> None:
        """Change rows: what only time or an accident does."""

        async def write() -> None:
            async with self.core.database.transaction() as session:
                await session.execute(text(statement), values)

        self.run(write())

    def new_application(self, application_id: str) -> App:
        """A new application as devices carry it."""
        self.ok("application/create", applicationId=application_id)
        detail = self.ok("application/detail", applicationId=application_id)
        version = detail["versions"][0]
        return App.of(
            application_id, version["applicationKey"], version["applicationSecret"], detail["masterPublicKey"]
        )

    def device(self, user_id: str, app: App | None = None, **init: Any) -> Phone:
        """A device with an ACTIVE activation."""
        chosen = app or self.app
        started = self.ok(
            "activation/init",
            userId=user_id,
            applicationId=chosen.application_id,
            commitPhase="ON_KEY_EXCHANGE",
            **init,
        )
        device = Phone(chosen, ProtocolVersion.V3_3)
        self.run(device.join(self.call, started["activationCode"]))
        return device

    async def _answer(self, path: str, request: Mapping[str, Any], caller: tuple[str, str] | None) -> Answer:
        response = await self._http.post(
            path, json={"requestObject": request}, auth=caller or httpx2.USE_CLIENT_DEFAULT
        )
        assert response.status_code in (200, 400), (path, response.text)
        body = response.json()
        content = body.get("responseObject")
        return Answer("OK" if body["status"] == "OK" else content["code"], content)

    async def _send(self, path: str, request: Mapping[str, Any]) -> dict[str, Any]:
        answer = await self._answer(path, request, None)
        assert answer.code == "OK", (path, answer)
        content: dict[str, Any] = answer.body
        return content
