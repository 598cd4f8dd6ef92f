"""All goals of docs/performance.md in one go: each measurement as its own command, several times, in turn."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from powerauth_cli.bench.run import Crews, Plan, at_busy

_CREWS = Crews.of(Plan(32, 5, 2, workers=2))


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure of a measurement, and what it is to be.

    :ivar figure: its name in the JSON of the command, a dot before that of a part
    :ivar most: it is to be no larger than the goal, else no smaller
    """

    work: str
    figure: str
    goal: float
    most: bool = False

    def met(self, value: float) -> bool:
        """Whether a value is as good."""
        return value <= self.goal if self.most else value >= self.goal

    def of(self, result: Mapping[str, Any]) -> float:
        """The figure in what a command has printed.

        :raises KeyError: it is not there
        """
        found: Any = result
        for name in self.figure.split("."):
            found = found[name]
        return float(found)


def at_least(work: str, figure: str, goal: float) -> Goal:
    return Goal(work, figure, goal)


def at_most(work: str, figure: str, goal: float) -> Goal:
    return Goal(work, figure, goal, most=True)


def _tail(load: str) -> Goal:
    """One in a hundred below the limit."""
    return at_most(f"{load}, p99 to median at 80 %", f"p99_to_median {at_busy(load)}", 5)


def _rate(load: str, goal: float) -> Goal:
    return at_least(f"{load}, a second", f"loads.{load}.requests_per_second", goal)


def _shared(*loads: str) -> tuple[Goal, ...]:
    """CPU time of two workers, with as many clients each."""
    return tuple(
        at_most(
            f"{load}, CPU of 2 workers to 1",
            f"cpu_ratio {load}, {_CREWS.each.workers} workers to 1, as many clients a worker",
            1.15,
        )
        for load in loads
    )


_CLOUD = ("create", "read", "verify")
_SERVICES = ("core", "push", "enrollment", "cloud")

GOALS: Mapping[tuple[str, ...], Sequence[Goal]] = {
    ("verify", "--against-pgbench", "--paced"): (
        at_least("verify, of pgbench", "ratio_to_pgbench", 0.9),
        _tail("verify"),
    ),
    ("operation", "--against-pgbench", "--paced"): (
        at_least("create and approve, of pgbench", "ratio_to_pgbench", 0.35),
        _rate("create and approve", 780),
        _rate("create", 1270),
        _tail("create and approve"),
        _tail("create"),
    ),
    ("activate", "--paced"): (
        _rate("activate", 212),
        at_most("activate, CPU to bare cryptography", "ratio_to_cryptography", 6),
        _tail("activate"),
    ),
    ("status", "--paced"): (_rate("bank", 2950), _rate("phone", 2950), _tail("bank"), _tail("phone")),
    ("list", "--paced"): (at_least("list, of verify", "ratio_to_verify", 0.5), _tail("list")),
    ("passkey",): (at_least("approval by a passkey, of verify", "ratio_to_verify", 0.5),),
    ("cloud", "--paced"): (
        *(at_most(f"{work} through cloud, CPU to directly", f"cpu_ratio_{work}", 1.6) for work in _CLOUD),
        _tail("read directly"),
        *(_tail(f"{work} through cloud") for work in _CLOUD),
    ),
    ("push",): (at_most("answer to ring, p99 ms", "loads.answer to ring.latency_ms_p99", 250),),
    ("start",): (
        at_most("all in one, CPU s until ready", "all in one.cpu_s", 1.5),
        at_most("all in one with push, resident MB", "all in one.memory_mb", 170),
        *(at_most(f"{name}, resident MB", f"{name}.memory_mb", 110) for name in _SERVICES),
    ),
    ("verify", "--workers", "2"): _shared("verify"),
    ("token", "--workers", "2"): _shared("token"),
    ("operation", "--workers", "2"): _shared("create and approve", "create"),
    ("activate", "--workers", "2"): _shared("activate"),
    ("status", "--workers", "2"): _shared("bank", "phone"),
    ("list", "--workers", "2"): _shared("list"),
}
"""By the arguments of `powerauth bench`."""

FULL = ("--activations", "1000000", "--operations", "10000000")
"""What `--growth` fills a database with before it measures anew."""

GROWTH: Mapping[str, Sequence[Goal]] = {
    "verify": (at_least("verify", "requests_per_second", 0.9),),
    "operation": (
        at_least("create and approve", "loads.create and approve.requests_per_second", 0.9),
        at_least("create", "loads.create.requests_per_second", 0.9),
    ),
    "list": (at_least("list", "loads.list.requests_per_second", 0.9),),
}
"""Figures on a full database, of those on an empty one."""


class Report:
    """What was found.

    :ivar found: values by goal, in the order of their runs; none of a measurement that failed
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self.found: defaultdict[Goal, list[float]] = defaultdict(list)

    async def measure(self, arguments: Sequence[str], goals: Sequence[Goal]) -> None:
        """Run a command."""
        result = await self._printed(arguments)
        for goal in goals:
            self.found[goal] += [goal.of(result)] if result else []

    async def measure_growth(self, command: str, goals: Sequence[Goal]) -> None:
        """Run a command on a full database, then on an empty one."""
        full, empty = await self._printed((command, *FULL)), await self._printed((command,))
        for goal in goals:
            self.found[_on_full(goal)] += [goal.of(full) / goal.of(empty)] if full and empty else []

    async def _printed(self, arguments: Sequence[str]) -> Mapping[str, Any] | None:
        self._console.print(f"bench {' '.join(arguments)} …", highlight=False)
        try:
            return await _measured(arguments)
        except RuntimeError as error:
            self._console.print(str(error), highlight=False, markup=False)
            return None

    def rows(self) -> Iterator[dict[str, Any]]:
        """A line for each goal."""
        for goal, values in self.found.items():
            value = median(values) if values else None
            yield {
                "work": goal.work,
                "goal": goal.goal,
                "at": "most" if goal.most else "least",
                "median": None if value is None else round(value, 3),
                "runs": [round(each, 3) for each in values],
                "met": value is not None and goal.met(value),
            }


def _on_full(goal: Goal) -> Goal:
    return at_least(f"{goal.work}, on a full database of an empty one", goal.figure, goal.goal)


async def measure_goals(
    console: Console, runs: int, only: Sequence[str], *, growth: bool, as_json: bool
) -> bool:
    """Measure all, in turn, so that a busy minute spoils one run of each and not all of one.

    :param only: commands, none for all
    :param growth: also on a database with 1,000,000 activations and 10,000,000 operations
    :return: whether all are met
    """
    report = Report(console)
    for _ in range(runs):
        for arguments, goals in GOALS.items():
            if not only or arguments[0] in only:
                await report.measure(arguments, goals)
        for command, goals in GROWTH.items():
            if growth and (not only or command in only):
                await report.measure_growth(command, goals)
    rows = list(report.rows())
    if as_json:
        print(json.dumps(rows))
    else:
        console.print(_table(rows))
    return all(row["met"] for row in rows)


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("work", "goal", "median", "runs", "met")
    for row in rows:
        table.add_row(
            row["work"],
            f"at {row['at']} {row['goal']:g}",
            "not measured" if row["median"] is None else f"{row['median']:g}",
            ", ".join([f"{each:g}" for each in row["runs"]]),
            "yes" if row["met"] else "no",
        )
    return table


async def _measured(arguments: Sequence[str]) -> Mapping[str, Any]:
    """What `powerauth bench` prints with these arguments.

    :raises RuntimeError: it failed; the text is its own
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "powerauth_cli", "bench", *arguments, "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate()
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if process.returncode != 0:
        raise RuntimeError(f"it failed:\n{errors.decode(errors='replace')[-2000:]}")
    # The services' own lines come before.
    result: Mapping[str, Any] = json.loads(output.splitlines()[-1])
    return result
