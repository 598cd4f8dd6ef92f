"""The batcher itself: what shares a batch, what waits, and how failures spread (design §8)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from servicekit import logs
from servicekit.batching import BatchFailed, MicroBatcher, Settled, none_twice
from servicekit.errors import Unavailable


@dataclass(frozen=True)
class Job:
    key: str
    number: int = 0


@dataclass
class Recorder:
    """A `run` that holds each batch until it is let go."""

    batches: list[list[Job]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    broken: str = ""

    async def __call__(self, jobs: Sequence[Job]) -> list[Settled[int]]:
        self.batches.append(list(jobs))
        await self.gate.wait()
        if any(job.key == self.broken for job in jobs):
            raise RuntimeError(self.broken)
        return [Settled(job.number) for job in jobs]


def batcher(run: Recorder, *, max_size: int = 4, in_flight: int = 1) -> MicroBatcher[Job, int]:
    return MicroBatcher(run, max_size=max_size, in_flight=in_flight)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_arrives_during_a_batch_shares_the_next_one() -> None:
    run = Recorder()
    made = batcher(run)
    first = asyncio.create_task(made.submit(Job("a", 1)))
    await settle()
    rest = [asyncio.create_task(made.submit(Job(key, 2))) for key in "bcd"]
    await settle()
    assert [[job.key for job in batch] for batch in run.batches] == [["a"]]
    run.gate.set()
    assert await first == 1
    assert await asyncio.gather(*rest) == [2, 2, 2]
    assert [[job.key for job in batch] for batch in run.batches] == [["a"], ["b", "c", "d"]]


async def test_a_batch_is_not_of_the_request_that_made_it_start() -> None:
    seen: list[str | None] = []

    async def run(jobs: Sequence[Job]) -> list[Settled[int]]:
        seen.append(logs.correlation_id.get())
        return [Settled(job.number) for job in jobs]

    made = MicroBatcher(run, max_size=4, in_flight=1)
    token = logs.correlation_id.set("of one of them")
    try:
        await asyncio.gather(*[made.submit(Job(key)) for key in "ab"])
    finally:
        logs.correlation_id.reset(token)
    assert seen == [None]


async def test_a_batch_is_bounded() -> None:
    run = Recorder()
    run.gate.set()
    made = batcher(run, max_size=3)
    await asyncio.gather(*[made.submit(Job(str(number), number)) for number in range(8)])
    assert [len(batch) for batch in run.batches] == [3, 3, 2]


async def test_two_batches_in_flight_never_hold_the_same_record() -> None:
    run = Recorder()
    made = batcher(run, in_flight=2)
    calls = [asyncio.create_task(made.submit(Job("a", 1)))]
    await settle()
    calls += [asyncio.create_task(made.submit(Job(key, 2))) for key in ("a", "b", "a")]
    await settle()
    assert [[job.key for job in batch] for batch in run.batches] == [["a"], ["b"]]
    run.gate.set()
    await asyncio.gather(*calls)
    assert [job.number for batch in run.batches for job in batch if job.key == "a"] == [1, 2, 2]


async def test_jobs_of_one_record_keep_their_order() -> None:
    run = Recorder()
    run.gate.set()
    made: MicroBatcher[Job, int] = MicroBatcher(
        run, max_size=10, in_flight=3, joining=none_twice(lambda job: job.key)
    )
    await asyncio.gather(*[made.submit(Job("ab"[number % 2], number)) for number in range(10)])
    for key in "ab":
        numbers = [job.number for batch in run.batches for job in batch if job.key == key]
        assert numbers == sorted(numbers)


async def test_a_broken_job_fails_alone() -> None:
    run = Recorder(broken="x")
    run.gate.set()
    made = batcher(run)
    outcomes = await asyncio.gather(*[made.submit(Job(key, 7)) for key in "axb"], return_exceptions=True)
    assert outcomes[0] == outcomes[2] == 7
    assert isinstance(outcomes[1], RuntimeError)


class OfOneRecord(Unavailable):
    of_one_record = True


async def test_a_record_that_cannot_be_worked_on_fails_nobody_else() -> None:
    async def run(jobs: Sequence[Job]) -> list[Settled[int]]:
        if any(job.key == "x" for job in jobs):
            raise OfOneRecord
        return [Settled(job.number) for job in jobs]

    made: MicroBatcher[Job, int] = MicroBatcher(run, max_size=4, in_flight=1)
    outcomes = await asyncio.gather(*[made.submit(Job(key, 7)) for key in "axb"], return_exceptions=True)
    assert outcomes[0] == outcomes[2] == 7
    assert isinstance(outcomes[1], OfOneRecord)


class Undone(Unavailable):
    repeatable = True


class Unconfirmed(BatchFailed):
    def __init__(self) -> None:
        self.__cause__ = KeyError("the commit")


@pytest.mark.parametrize(
    ("fault", "heard", "tries"),
    [
        (Unconfirmed, KeyError, 1),
        (BatchFailed, BatchFailed, 1),
        (Unavailable, Unavailable, 1),
        (Undone, Undone, 2),
    ],
)
async def test_a_batch_that_may_be_done_or_cannot_be_is_not_taken_apart(
    fault: type[Exception], heard: type[Exception], tries: int
) -> None:
    batches = []

    async def run(jobs: Sequence[Job]) -> list[Settled[int]]:
        batches.append(len(jobs))
        raise fault

    made: MicroBatcher[Job, int] = MicroBatcher(run, max_size=4, in_flight=1)
    outcomes = await asyncio.gather(*[made.submit(Job(key)) for key in "abc"], return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [heard] * 3
    assert batches == [3] * tries


async def test_a_batch_that_was_undone_goes_well_the_second_time() -> None:
    faults = [Undone()]

    async def run(jobs: Sequence[Job]) -> list[Settled[int]]:
        if faults:
            raise faults.pop()
        return [Settled(job.number) for job in jobs]

    made: MicroBatcher[Job, int] = MicroBatcher(run, max_size=4, in_flight=1)
    assert await made.submit(Job("a", 1)) == 1


async def test_an_error_of_one_job_is_raised_to_its_submitter_only() -> None:
    async def run(jobs: Sequence[Job]) -> list[Settled[int]]:
        return [Settled(error=KeyError(job.key)) if job.key == "b" else Settled(job.number) for job in jobs]

    made: MicroBatcher[Job, int] = MicroBatcher(run, max_size=4, in_flight=1)
    good, bad = asyncio.create_task(made.submit(Job("a", 1))), asyncio.create_task(made.submit(Job("b")))
    assert await good == 1
    with pytest.raises(KeyError):
        await bad


async def test_the_batcher_works_on_after_an_idle_time() -> None:
    run = Recorder()
    run.gate.set()
    made = batcher(run)
    assert await made.submit(Job("a", 1)) == 1
    await made.close()
    assert await made.submit(Job("a", 2)) == 2


async def test_a_job_whose_record_is_held_waits_a_bounded_time_for_its_turn() -> None:
    gate = asyncio.Event()

    async def hold_all(jobs: Sequence[Job]) -> list[Settled[int]]:
        return [Settled(held=True) for _ in jobs]

    async def wait(jobs: Sequence[Job]) -> list[Settled[int]]:
        await gate.wait()
        return [Settled(job.number) for job in jobs]

    batches: MicroBatcher[Job, int] = MicroBatcher(
        hold_all, wait, max_size=4, in_flight=1, patience_seconds=0.05
    )
    first = asyncio.create_task(batches.submit(Job("a", 1)))
    second = asyncio.create_task(batches.submit(Job("b", 2)))
    with pytest.raises(Unavailable):
        await second
    assert not first.done()
    gate.set()
    assert await first == 1
    assert await batches.submit(Job("b", 3)) == 3
