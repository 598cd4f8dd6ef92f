"""Stores of verification on whose way a test lets something happen, and the jobs that go through them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from powerauth_core.audit.chain.streams import Turn
from powerauth_core.container import Core
from powerauth_core.verification.engine import Stores, Verifier
from powerauth_core.verification.jobs import LockedActivation, SignedAction, VerificationJob
from powerauth_core.verification.store import Acting, Held, Left, Store, Wanted
from powerauth_sdk.phone import Signed
from servicekit.batching import Settled
from servicekit.database import DatabaseUnavailable

Event = Callable[[Turn], Awaitable[None]]


class Ways:
    """What happens to the batches of one core.

    :ivar taken: names of the stores that were opened, in order: ``optimistic``, ``skipping``, ``waiting``
    """

    def __init__(self, core: Core) -> None:
        """
        :param core: one that has checked nothing yet
        """
        self.taken: list[str] = []
        self._events: defaultdict[str, list[Event]] = defaultdict(list)
        core.verifier = Verifier(core, self._through(Stores.of(core, core.operation_records)))

    def at(self, moment: str, event: Event, times: int = 1) -> None:
        """Let something happen the next times that a batch gets there.

        :param moment: ``opening``; ``read``, when nothing is decided; ``writing``, when all is; ``ended``,
            when it is committed and nobody knows yet
        """
        self._events[moment] += [event] * times

    async def reach(self, moment: str, turn: Turn) -> None:
        """A batch is there."""
        if self._events[moment]:
            await self._events[moment].pop(0)(turn)

    def _through(self, stores: Stores) -> Stores:
        def faulty(store: Store) -> Store:
            names = {id(stores.actions[0]): "skipping", id(stores.apart): "waiting"}
            return _FaultyStore(names.get(id(store), "optimistic"), store, self)

        return Stores(
            tuple(map(faulty, stores.checks)), tuple(map(faulty, stores.actions)), faulty(stores.apart)
        )


@dataclass
class _FaultyStore:
    name: str
    inner: Store
    ways: Ways

    @asynccontextmanager
    async def open(self, turn: Turn, wanted: Wanted) -> AsyncGenerator[Held]:
        self.ways.taken.append(self.name)
        await self.ways.reach("opening", turn)
        async with self.inner.open(turn, wanted) as held:
            await self.ways.reach("read", turn)
            yield _FaultyHeld(held, turn, self.ways)
        await self.ways.reach("ended", turn)


@dataclass
class _FaultyHeld:
    inner: Held
    turn: Turn
    ways: Ways

    @property
    def rows(self) -> Mapping[str, LockedActivation]:
        return self.inner.rows

    @property
    def skipped(self) -> Collection[str]:
        return self.inner.skipped

    async def prepare(self, action: SignedAction, activation: LockedActivation) -> Settled[Any]:
        return await self.inner.prepare(action, activation)

    async def write(self, left: Left, acting: Sequence[Acting]) -> Sequence[Settled[Any]] | None:
        await self.ways.reach("writing", self.turn)
        return await self.inner.write(left, acting)


def fails(error: Exception) -> Event:
    """The batch fails there."""

    async def event(_: Turn) -> None:
        raise error

    return event


def lost(*, repeatable: bool = False, sent: bool = False) -> Event:
    """The database is lost there.

    :param repeatable: all is undone for certain
    :param sent: the commit was on its way, and may have arrived
    """

    async def event(turn: Turn) -> None:
        if sent:
            turn.sending()
        error = DatabaseUnavailable("lost by a test")
        error.repeatable = repeatable
        raise error

    return event


@pytest.fixture
def ways(core: Core) -> Ways:
    """The ways of the core's batches."""
    return Ways(core)


def job_of(signed: Signed, **changes: Any) -> VerificationJob:
    """The check of an online signature."""
    values: dict[str, Any] = {
        "activation_id": signed.activation_id,
        "signed_data": (signed.data,),
        "signature": signed.code,
        "types": (signed.kind,),
        "version": signed.version,
        "application_key": signed.app.key,
    }
    return VerificationJob(**(values | changes))
