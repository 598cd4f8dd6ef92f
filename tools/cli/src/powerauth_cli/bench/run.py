"""How a measurement runs: loads in turn against one target, so that all see the same machine."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar, runtime_checkable

from rich.console import Console

from powerauth_cli.bench.load import LoadResult, run_load, run_paced
from powerauth_cli.bench.pgbench import PgBench
from powerauth_cli.bench.prepared import Prepared
from powerauth_cli.bench.scripts import Work
from powerauth_cli.bench.target import Target, own_target
from powerauth_cli.bench.verification import VerifyLoad
from powerauth_cli.localservers import RabbitServer

CORE = ("core",)
WITH_ENROLLMENT = ("core", "enrollment")
WITH_CLOUD = ("core", "cloud")
_WARM_UP_SECONDS = 1.0
_BUSY = 0.8


class Load(Protocol):
    """What one client does again and again."""

    async def open(self) -> None:
        """Prepare and connect."""

    async def one(self, number: int) -> bool:
        """One request of a client."""
        ...

    def close(self) -> None:
        """Disconnect."""


@runtime_checkable
class StockedLoad(Load, Protocol):
    """A load that makes its requests beforehand."""

    async def stock_up(self, seconds: float) -> None:
        """Make what a round of this length needs."""

    def put_back(self) -> None:
        """Forget what was not used."""


Key = TypeVar("Key", bound=Hashable)

LoadFactory = Callable[[Target, Prepared], Load]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a measurement runs.

    :ivar seconds: of one round
    :ivar target: a running server, or None to start one
    :ivar activations: stored activations to fill the database with first, 0 for none
    :ivar operations: stored operations, each with two audit records, 0 for none
    :ivar paced: then each load once more, with requests that arrive by chance at 80 % of the found rate
    :ivar workers: processes of the core; more than one: each load in turn at a core of one and of so many,
        with as many clients in all and with as many a worker
    """

    clients: int
    seconds: float
    rounds: int
    target: Target | None = None
    activations: int = 0
    operations: int = 0
    paced: bool = False
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Measured:
    """What came out.

    :ivar loads: by name; paced ones end in ` at 80 %`
    :ivar database: transactions a second of pgbench, 0 if it did not run
    """

    loads: Mapping[str, LoadResult]
    database: float = 0.0


@contextlib.asynccontextmanager
async def _stocked(load: Load, seconds: float) -> AsyncIterator[None]:
    """A load with what a round of this length needs, which is forgotten afterwards."""
    if not isinstance(load, StockedLoad):
        yield
        return
    await load.stock_up(seconds)
    try:
        yield
    finally:
        load.put_back()


class Measurement:
    """A target with its prepared devices."""

    def __init__(self, console: Console, plan: Plan, target: Target, prepared: Prepared) -> None:
        self.console = console
        self.plan = plan
        self.target = target
        self.prepared = prepared

    async def run(self, factories: Mapping[str, LoadFactory], work: Work | None = None) -> Measured:
        """Run each load once a round, one after the other, then pgbench, and add the rounds up.

        :param work: what pgbench does, None for no pgbench
        """
        async with self.opened(factories) as loads:
            database = PgBench(self.target.database_url)
            if work is not None:
                await database.prepare(work)
            rates = []
            totals: dict[str, LoadResult] = {}
            for _ in range(self.plan.rounds):
                for name, load in loads.items():
                    add(totals, name, await self.round(load, name))
                if work is not None:
                    rates.append(await database.run(self.plan.clients, self.plan.seconds))
            totals |= await self.paced(loads, totals)
        return Measured(totals, sum(rates) / len(rates) if rates else 0.0)

    async def round(self, load: Load, title: str) -> LoadResult:
        """One round of a load, with the CPU time of the services."""
        seconds = self.plan.seconds
        async with _stocked(load, seconds):
            before = self.target.cpu()
            result = await run_load(self.plan.clients, seconds, load.one, title)
            return replace(result, cpu=self.target.cpu() - before)

    async def paced(self, loads: Mapping[str, Load], full: Mapping[str, LoadResult]) -> dict[str, LoadResult]:
        """If the plan wants it: each load once more, below its limit.

        :param full: what each can do
        """
        return {
            at_busy(name): await self._paced(load, name, full[name].per_second)
            for name, load in loads.items()
            if self.plan.paced
        }

    async def _paced(self, load: Load, title: str, full: float) -> LoadResult:
        seconds = self.plan.seconds * self.plan.rounds
        async with _stocked(load, seconds):
            return await run_paced(self.plan.clients, seconds, _BUSY * full, load.one, at_busy(title))

    @contextlib.asynccontextmanager
    async def opened(self, factories: Mapping[str, LoadFactory]) -> AsyncIterator[dict[str, Load]]:
        """Loads that are connected and warm, by name."""
        async with contextlib.AsyncExitStack() as stack:
            yield {
                name: await stack.enter_async_context(self._opened(factory, name))
                for name, factory in factories.items()
            }

    @contextlib.asynccontextmanager
    async def _opened(self, factory: LoadFactory, title: str) -> AsyncIterator[Load]:
        """A load that is connected and warm."""
        load = factory(self.target, self.prepared)
        await load.open()
        try:
            await run_load(self.plan.clients, _WARM_UP_SECONDS, load.one, f"{title}, warming up")
            yield load
        finally:
            load.close()


@contextlib.asynccontextmanager
async def measurement(
    console: Console, plan: Plan, services: tuple[str, ...] = CORE
) -> AsyncIterator[Measurement]:
    """A measurement with its target: the one named in the plan, or one started for it."""
    async with contextlib.AsyncExitStack() as stack:
        target = plan.target
        if target is None:
            console.print("starting PostgreSQL and the services …")
            target = await stack.enter_async_context(own_target(services))
        console.print(f"activating {plan.clients} devices …")
        prepared = await Prepared.make(target, plan.clients)
        stack.push_async_callback(prepared.core.close)
        if plan.activations or plan.operations:
            console.print(
                f"filling the database: {plan.activations} activations, {plan.operations} operations …"
            )
            if not target.database_url:
                raise RuntimeError("only a database that the measurement has started is filled")
            await PgBench(target.database_url).fill(plan.activations, plan.operations)
        yield Measurement(console, plan, target, prepared)


async def measure(
    console: Console,
    plan: Plan,
    factories: Mapping[str, LoadFactory],
    *,
    services: tuple[str, ...] = CORE,
    work: Work | None = None,
) -> Measured:
    """Loads in turn against one target, or against cores of one and of several workers."""
    if plan.workers > 1:
        return await _with_one_and_more_workers(console, plan, factories, services)
    async with measurement(console, plan, services) as run:
        return await run.run(factories, work)


async def verify_with_rabbitmq(console: Console, plan: Plan) -> Measured:
    """Verifications at a core with its events in RabbitMQ, and at one that keeps them, in turn."""
    with RabbitServer() as broker:
        async with own_target() as kept, own_target(bus_url=broker.url) as told:
            plans = {"in memory": replace(plan, target=kept), "RabbitMQ": replace(plan, target=told)}
            measured = await _in_turn(console, plans, {"verify": VerifyLoad}, CORE)
    return Measured({name: result for (_, name), result in measured.items()})


def at_busy(load: str) -> str:
    """The name of a load whose requests come by chance, at 80 % of its rate."""
    return f"{load} at {_BUSY:.0%}".replace("%", " %")


@dataclass(frozen=True, slots=True)
class Crew:
    """A core of so many workers under so many clients."""

    workers: int
    clients: int

    def named(self, load: str) -> str:
        """The name of a load there."""
        return f"{load}, {self.workers} worker{'s' if self.workers > 1 else ''}, {self.clients} clients"


@dataclass(frozen=True, slots=True)
class Crews:
    """What is compared.

    :ivar several: as many clients as at one worker
    :ivar each: as many clients a worker
    """

    one: Crew
    several: Crew
    each: Crew

    @classmethod
    def of(cls, plan: Plan) -> Crews:
        """Those of a plan with several workers."""
        count, clients = plan.workers, plan.clients
        return cls(Crew(1, clients), Crew(count, clients), Crew(count, count * clients))


async def _with_one_and_more_workers(
    console: Console, plan: Plan, factories: Mapping[str, LoadFactory], services: tuple[str, ...]
) -> Measured:
    crews = Crews.of(plan)
    async with contextlib.AsyncExitStack() as stack:
        broker = stack.enter_context(RabbitServer())
        targets = {
            count: await stack.enter_async_context(own_target(services, bus_url=broker.url, workers=count))
            for count in (1, plan.workers)
        }
        plans = {
            crew: replace(plan, target=targets[crew.workers], clients=crew.clients)
            for crew in (crews.one, crews.several, crews.each)
        }
        measured = await _in_turn(console, plans, factories, services)
    return Measured({crew.named(load): result for (load, crew), result in measured.items()})


async def _in_turn(
    console: Console,
    plans: Mapping[Key, Plan],
    factories: Mapping[str, LoadFactory],
    services: tuple[str, ...],
) -> dict[tuple[str, Key], LoadResult]:
    """Each load once a round at each target.

    :param plans: of as many rounds each
    :return: by load and target
    """
    totals: dict[tuple[str, Key], LoadResult] = {}
    async with contextlib.AsyncExitStack() as stack:
        runs = {}
        for name, plan in plans.items():
            run = await stack.enter_async_context(measurement(console, plan, services))
            runs[name] = run, await stack.enter_async_context(run.opened(factories))
        for _ in range(plan.rounds):
            for name, (run, loads) in runs.items():
                for title, load in loads.items():
                    add(totals, (title, name), await run.round(load, title))
        for name, (run, loads) in runs.items():
            paced = await run.paced(loads, {title: totals[title, name] for title in loads})
            totals |= {(title, name): result for title, result in paced.items()}
    return totals


def add(totals: dict[Key, LoadResult], name: Key, result: LoadResult) -> None:
    totals[name] = totals[name].merged(result) if name in totals else result
