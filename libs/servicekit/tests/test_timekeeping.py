"""A machine whose clock is wrong goes by the database's."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from servicekit import clock, timekeeping
from servicekit.database import Database
from servicekit.timekeeping import TOLERATED, keeping_time

NEAR = timedelta(seconds=20)
"""This machine may be busy."""


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    yield
    clock.correct(timedelta())


def _machine_is_ahead(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    monkeypatch.setattr(clock, "uncorrected", lambda: datetime.now(UTC).replace(tzinfo=None) + by)


def _error() -> timedelta:
    return abs(clock.now() - datetime.now(UTC).replace(tzinfo=None))


@pytest.mark.parametrize("by", [timedelta(minutes=10), -timedelta(minutes=10)])
async def test_a_wrong_clock_is_corrected_until_it_is_right_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    if database.dialect != "postgresql":
        async with keeping_time(database):
            return
    _machine_is_ahead(monkeypatch, by)
    async with keeping_time(database):
        assert _error() < NEAR
        _machine_is_ahead(monkeypatch, timedelta())
        await timekeeping.look(database)
        assert clock.correction() == timedelta()


async def test_a_clock_that_differs_little_is_left_alone(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    _machine_is_ahead(monkeypatch, TOLERATED / 2)
    async with keeping_time(database):
        assert clock.correction() == timedelta()


def test_milliseconds_are_corrected_too() -> None:
    before = clock.now_ms()
    clock.correct(timedelta(hours=1))
    assert 3_600_000 <= clock.now_ms() - before < 3_700_000
