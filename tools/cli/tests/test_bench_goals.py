"""`powerauth bench goals` finds its figures in what the other commands print."""

from __future__ import annotations

import asyncio
import json
from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from powerauth_cli import bench_commands as commands
from powerauth_cli.bench import goals, run
from powerauth_cli.bench.load import LoadResult
from powerauth_cli.bench.run import Crews, Measured, Plan

LOADS = {
    "verify": ("verify",),
    "token": ("token", "verify"),
    "passkey": ("passkey", "verify"),
    "operation": ("create and approve", "create"),
    "activate": ("activate",),
    "status": ("bank", "phone"),
    "list": ("list", "verify"),
    "cloud": tuple(
        f"{work} {way}" for work in ("create", "read", "verify") for way in ("directly", "through cloud")
    ),
    "push": ("apns", "answer to ring"),
}
START = {
    name: {"cpu_s": 1.0, "memory_mb": 100.0} for name in ("core", "push", "enrollment", "cloud", "all in one")
}


def _printed(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> Mapping[str, Any]:
    """What a command prints, of loads that take a millisecond for each request."""
    command, *options = arguments
    if command == "start":
        return START
    one = LoadResult(1.0, 0, array("d", [1.0] * 100), Counter(core=1))
    names = LOADS[command]
    if "--workers" in options:
        plan = Plan(32, 5, 2, workers=2)
        crews = Crews.of(plan)
        measured = Measured({c.named(n): one for n in names for c in (crews.one, crews.several, crews.each)})
        commands._show(measured, commands._by_workers(measured, plan, names), as_json=True)
    else:
        paced = [run.at_busy(name) for name in names] if "--paced" in options else []
        measured = Measured(dict.fromkeys((*names, *paced), one), 100.0)
        extra = {
            **commands._against(measured),
            **{f"cpu_ratio_{work}": 1.0 for work in ("create", "read", "verify")},
            "ratio_to_verify": 1.0,
            "ratio_to_cryptography": 1.0,
        }
        commands._show(measured, extra, as_json=True)
    found: Mapping[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return found


def test_every_goal_is_a_figure_of_its_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def measured(arguments: Sequence[str]) -> Mapping[str, Any]:
        return _printed(arguments, capsys)

    monkeypatch.setattr(goals, "_measured", measured)
    told = Console(file=StringIO())
    asyncio.run(goals.measure_goals(told, 3, (), growth=True, as_json=True))
    rows = json.loads(capsys.readouterr().out)
    assert all(len(row["runs"]) == 3 for row in rows)
    assert {row["met"] for row in rows if "p99 to median" in row["work"]} == {True}
    assert [row["median"] for row in rows if "of an empty one" in row["work"]] == [1.0] * 4


def test_a_measurement_that_fails_is_told_and_misses_its_goals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def fails(_arguments: Sequence[str]) -> Mapping[str, Any]:
        raise RuntimeError("no PostgreSQL")

    monkeypatch.setattr(goals, "_measured", fails)
    told = StringIO()
    assert not asyncio.run(goals.measure_goals(Console(file=told), 1, ["list"], growth=False, as_json=True))
    assert "no PostgreSQL" in told.getvalue()
    rows = json.loads(capsys.readouterr().out)
    assert {(row["median"], row["met"]) for row in rows} == {(None, False)}


@pytest.mark.parametrize(("most", "met"), [(True, [True, True, False]), (False, [False, True, True])])
def test_a_goal_is_met_at_the_goal(*, most: bool, met: list[bool]) -> None:
    goal = goals.Goal("work", "figure", 1.5, most)
    assert [goal.met(value) for value in (1.4, 1.5, 1.6)] == met
