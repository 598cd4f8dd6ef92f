"""The measurements behind `powerauth bench`."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from rich.console import Console

from powerauth_cli.bench.load import LoadResult, run_load
from powerauth_cli.bench.loads import DoorVerifyLoad, EnrollmentVerifyLoad, Prepared, VerifyLoad
from powerauth_cli.bench.pgbench import PgBench
from powerauth_cli.bench.target import Target, own_target
from powerauth_cli.localservers import RabbitServer

_WARM_UP_SECONDS = 1.0


class Load(Protocol):
    """What one client does; see `powerauth_cli.bench.loads`."""

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

    def stock_up(self, seconds: float) -> None:
        """Make what a round of this length needs."""


LoadFactory = Callable[[Target, Prepared], Load]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a measurement runs.

    :ivar target: a running server, or None to start one
    :ivar seconds: of one round
    :ivar activations: stored activations to fill the database with first, 0 for none
    """

    clients: int
    seconds: float
    rounds: int
    target: Target | None = None
    activations: int = 0


class Measurement:
    """Runs loads against one target, round by round, so that all see the same machine."""

    def __init__(self, console: Console, plan: Plan, target: Target, prepared: Prepared) -> None:
        self._console = console
        self._plan = plan
        self.target = target
        self.prepared = prepared

    async def alternate(self, loads: dict[str, Callable[[], Awaitable[LoadResult]]]) -> dict[str, LoadResult]:
        """Run each load once a round, one after the other, and add the rounds up."""
        totals: dict[str, LoadResult] = {}
        for _ in range(self._plan.rounds):
            for name, load in loads.items():
                result = await load()
                totals[name] = totals[name].merged(result) if name in totals else result
        return totals

    @contextlib.asynccontextmanager
    async def opened(
        self, factory: LoadFactory, title: str
    ) -> AsyncIterator[Callable[[], Awaitable[LoadResult]]]:
        """A load that is connected and warm."""
        load = factory(self.target, self.prepared)
        await load.open()
        clients, seconds = self._plan.clients, self._plan.seconds
        await run_load(clients, _WARM_UP_SECONDS, load.one, f"{title}, warming up")

        async def measured() -> LoadResult:
            if isinstance(load, StockedLoad):
                load.stock_up(seconds)
            return await run_load(clients, seconds, load.one, title)

        try:
            yield measured
        finally:
            load.close()


@contextlib.asynccontextmanager
async def measurement(
    console: Console, plan: Plan, *, with_enrollment: bool = False
) -> AsyncIterator[Measurement]:
    """A measurement with its target: the one named in the plan, or one started for it."""
    async with contextlib.AsyncExitStack() as stack:
        target = plan.target
        if target is None:
            console.print("starting PostgreSQL and the services …")
            target = await stack.enter_async_context(own_target(with_enrollment=with_enrollment))
        console.print(f"activating {plan.clients} devices …")
        prepared = await Prepared.make(target, plan.clients)
        stack.push_async_callback(prepared.core.close)
        if plan.activations:
            console.print(f"filling the database up to {plan.activations} activations …")
            await PgBench(target.database_url).fill_activations(plan.activations)
        yield Measurement(console, plan, target, prepared)


async def simple(console: Console, plan: Plan, factory: LoadFactory, title: str) -> dict[str, LoadResult]:
    """One load by itself."""
    async with (
        measurement(console, plan, with_enrollment=True) as run,
        run.opened(factory, title) as load,
    ):
        return await run.alternate({title: load})


async def verify_alone(console: Console, plan: Plan) -> dict[str, LoadResult]:
    """Verifications at the core."""
    async with measurement(console, plan) as run, run.opened(VerifyLoad, "verify") as load:
        return await run.alternate({"verify": load})


async def verify_against_pgbench(
    console: Console, plan: Plan
) -> tuple[dict[str, LoadResult], dict[str, object]]:
    """Verifications and pgbench in turn on one database.

    :return: the load, and `ratio_to_pgbench` with what it is made of
    """
    async with measurement(console, plan) as run, run.opened(VerifyLoad, "verify") as load:
        database = PgBench(run.target.database_url)
        await database.prepare()
        rates: list[float] = []

        async def verify_then_pgbench() -> LoadResult:
            result = await load()
            rates.append(await database.run(plan.clients, plan.seconds))
            return result

        totals = await run.alternate({"verify": verify_then_pgbench})
        pgbench_rate = sum(rates) / len(rates)
        return totals, {
            "pgbench_per_second": round(pgbench_rate, 1),
            "ratio_to_pgbench": round(totals["verify"].per_second / pgbench_rate, 3),
        }


async def verify_with_rabbitmq(
    console: Console, plan: Plan
) -> tuple[dict[str, LoadResult], dict[str, object]]:
    """Verifications at a core with its events in RabbitMQ, and at one that keeps them, in turn.

    :return: both loads, and `ratio_to_memory`
    """
    with RabbitServer() as broker:
        async with contextlib.AsyncExitStack() as stack:
            loads = {}
            for name, bus_url in (("in memory", ""), ("RabbitMQ", broker.url)):
                target = await stack.enter_async_context(own_target(bus_url=bus_url))
                run = await stack.enter_async_context(measurement(console, replace(plan, target=target)))
                loads[name] = await stack.enter_async_context(run.opened(VerifyLoad, name))
            totals = await run.alternate(loads)
    ratio = totals["RabbitMQ"].per_second / totals["in memory"].per_second
    return totals, {"ratio_to_memory": round(ratio, 3)}


async def compare(console: Console, plan: Plan, factories: dict[str, LoadFactory]) -> dict[str, LoadResult]:
    """Several loads in turn against one target."""
    async with (
        measurement(console, plan, with_enrollment=True) as run,
        contextlib.AsyncExitStack() as stack,
    ):
        loads = {
            name: await stack.enter_async_context(run.opened(factory, name))
            for name, factory in factories.items()
        }
        return await run.alternate(loads)


async def forwarding(console: Console, plan: Plan) -> tuple[dict[str, LoadResult], dict[str, object]]:
    """What the enrollment service adds: CPU time a verification, directly and through it."""
    async with (
        measurement(console, plan, with_enrollment=True) as run,
        run.opened(DoorVerifyLoad, "core directly") as direct,
        run.opened(EnrollmentVerifyLoad, "through enrollment") as through,
    ):
        cpu = {"core directly": 0.0, "through enrollment": 0.0}

        def timed(
            name: str, load: Callable[[], Awaitable[LoadResult]]
        ) -> Callable[[], Awaitable[LoadResult]]:
            async def run_timed() -> LoadResult:
                before = _cpu(run.target)
                result = await load()
                cpu[name] += _cpu(run.target) - before
                return result

            return run_timed

        totals = await run.alternate(
            {
                "core directly": timed("core directly", direct),
                "through enrollment": timed("through enrollment", through),
            }
        )
        each = {name: cpu[name] / totals[name].requests for name in totals}
        return totals, {
            "cpu_ms_directly": round(each["core directly"] * 1000, 3),
            "cpu_ms_through_enrollment": round(each["through enrollment"] * 1000, 3),
            "cpu_ratio": round(each["through enrollment"] / each["core directly"], 3),
        }


def _cpu(target: Target) -> float:
    return sum(target.cpu_seconds(service) for service in target.processes)
