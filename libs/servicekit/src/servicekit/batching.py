"""Natural batching: what arrives while others are at work goes together next (the idea of a group commit)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from servicekit import tracing, units
from servicekit.errors import Unavailable
from servicekit.logs import get_logger

log = get_logger(__name__)


Item = TypeVar("Item")


class BatchQueue(Generic[Item]):
    """Items that wait, and at most `in_flight` workers that take what may go together. A worker belongs to no
    request: it has neither the correlation id nor the span nor the unit of one.

    :param choose: takes the next items out of the queue; none: nothing of it can go now
    :param work: deals with them, and never raises
    """

    def __init__(
        self,
        choose: Callable[[deque[Item]], list[Item]],
        work: Callable[[list[Item]], Awaitable[None]],
        *,
        in_flight: int,
    ) -> None:
        self._choose = choose
        self._work = work
        self._in_flight = in_flight
        self._items: deque[Item] = deque()
        self.workers: set[asyncio.Task[None]] = set()

    def put(self, item: Item) -> None:
        """Queue an item; it goes as soon as a worker is free."""
        self._items.append(item)
        self._start()

    def look_again(self) -> None:
        """What could not go before may be able to now."""
        if self._items:
            self._start()

    def _start(self) -> None:
        if len(self.workers) < self._in_flight:
            # The task starts after the callbacks that are ready now, so requests read together go together.
            # It works for all of them: what it logs is not of the one that made it start.
            worker = asyncio.get_running_loop().create_task(self._run(), context=Context())
            self.workers.add(worker)
            worker.add_done_callback(self._stopped)

    def _stopped(self, worker: asyncio.Task[None]) -> None:
        self.workers.discard(worker)
        self.look_again()  # items came since it looked last

    async def _run(self) -> None:
        while self._items and (chosen := self._choose(self._items)):
            await self._work(chosen)


class Keyed(Protocol):
    """A job that names the record it works on."""

    @property
    def key(self) -> str:
        """Identifier of the record: two batches in flight never hold the same one."""
        ...


J = TypeVar("J", bound=Keyed)
R = TypeVar("R")


class BatchFailed(Exception):
    """All jobs of a batch share its cause: a commit was sent and not confirmed, so the work may be done."""


# Not frozen, which would make it five times as dear; nobody changes it.
@dataclass(slots=True)
class Settled(Generic[R]):
    """Outcome of one job: a result, or the error to raise to whoever submitted it.

    :ivar held: neither, because somebody else holds the record: the job is to be run apart from the others
    """

    result: R | None = None
    error: BaseException | None = None
    held: bool = False


@dataclass(slots=True)
class _Queued(Generic[J, R]):
    job: J
    key: str
    answer: asyncio.Future[R] = field(repr=False)
    span: tracing.Span | None


class MicroBatcher(Generic[J, R]):
    """Runs jobs in batches: at most `in_flight` at a time, each with at most `max_size` jobs.

    A job waits only while all slots are busy or its record is in a batch in flight; jobs of one record keep
    their order. A batch that fails is repeated one job at a time, so that one job cannot fail its neighbours;
    if it was undone by a fault that a second try may not have, it is repeated as it is, once.

    :param run: performs the jobs in one transaction and returns their outcomes in the same order, after the
        commit. What it raises fails them all where trying them one by one would not help (`Unavailable` that
        is not of one record) or is not allowed (`BatchFailed`)
    :param patience_seconds: how long a job whose record somebody else holds waits for its turn to wait for it
    :param joining: makes, for each batch, what says whether a job may join those that it has let in before
    """

    def __init__(
        self,
        run: Callable[[Sequence[J]], Awaitable[Sequence[Settled[R]]]],
        run_apart: Callable[[Sequence[J]], Awaitable[Sequence[Settled[R]]]] | None = None,
        *,
        max_size: int,
        in_flight: int,
        patience_seconds: float = 10.0,
        joining: Callable[[], Callable[[J], bool]] = lambda: _anything,
    ) -> None:
        self._run = run
        self._run_apart = run_apart or run
        self._patience_seconds = patience_seconds
        self._apart = asyncio.Semaphore(in_flight)
        self._max_size = max_size
        self._joining = joining
        self._queue: BatchQueue[_Queued[J, R]] = BatchQueue(self._choose, self._work, in_flight=in_flight)
        self._busy: set[str] = set()
        self._waiting: set[asyncio.Task[None]] = set()

    async def submit(self, job: J) -> R:
        """Queue a job and return its result after the commit.

        :raises Unavailable: the database could not be reached or did not confirm
        """
        # A batch is run again by itself.
        units.spent()
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._queue.put(_Queued(job, job.key, answer, tracing.current.get()))
        return await answer

    async def close(self) -> None:
        """Wait until everything submitted so far is answered."""
        while running := self._queue.workers | self._waiting:
            await asyncio.wait(running)

    async def _work(self, batch: list[_Queued[J, R]]) -> None:
        self._busy |= {queued.key for queued in batch}
        held = await self._perform(batch, self._run)
        by_key: dict[str, list[_Queued[J, R]]] = {}
        for queued in held:
            by_key.setdefault(queued.key, []).append(queued)
        self._busy -= {queued.key for queued in batch} - by_key.keys()
        for key, waiting in by_key.items():
            task = asyncio.get_running_loop().create_task(self._work_apart(key, waiting))
            self._waiting.add(task)
            task.add_done_callback(self._waited)

    async def _work_apart(self, key: str, batch: list[_Queued[J, R]]) -> None:
        """Wait for a record that somebody else holds; meanwhile its later jobs stay in the queue."""
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self._apart.acquire()
        except TimeoutError:
            _fail(batch, Unavailable("too many records are held by others"))
        else:
            try:
                await self._perform(batch, self._run_apart)
            finally:
                self._apart.release()
        self._busy.discard(key)

    def _waited(self, task: asyncio.Task[None]) -> None:
        self._waiting.discard(task)
        self._queue.look_again()

    def _choose(self, queue: deque[_Queued[J, R]]) -> list[_Queued[J, R]]:
        chosen: list[_Queued[J, R]] = []
        may_join = self._joining()
        waiting: deque[_Queued[J, R]] = deque()
        held: set[str] = set()
        while queue and len(chosen) < self._max_size:
            queued = queue.popleft()
            key = queued.key
            # Whatever is left behind holds its record, so that a later job cannot overtake it.
            if key in self._busy or key in held or not may_join(queued.job):
                held.add(key)
                waiting.append(queued)
            else:
                chosen.append(queued)
        queue.extendleft(reversed(waiting))
        return chosen

    async def _perform(
        self,
        batch: list[_Queued[J, R]],
        run: Callable[[Sequence[J]], Awaitable[Sequence[Settled[R]]]],
    ) -> list[_Queued[J, R]]:
        """Answer the jobs of a batch; what is left are those whose record somebody else holds."""
        jobs = [queued.job for queued in batch]
        try:
            with tracing.together(type(jobs[0]).__name__, batch):
                outcomes = await _twice_at_most(run, jobs)
        except BatchFailed as error:
            _fail(batch, error.__cause__ or error)
        except Exception as error:
            if len(batch) == 1 or (isinstance(error, Unavailable) and not error.of_one_record):
                _fail(batch, error)
                return []
            log.warning("batch_repeated_one_by_one", jobs=len(batch), error=type(error).__name__)
            return [held for queued in batch for held in await self._perform([queued], run)]
        except BaseException as error:
            _fail(batch, error)
            raise
        else:
            settled = zip(batch, outcomes, strict=True)
            return [queued for queued, outcome in settled if not _settle(queued.answer, outcome)]
        return []


def none_twice(value_of: Callable[[J], Hashable | None]) -> Callable[[], Callable[[J], bool]]:
    """For `MicroBatcher`: jobs of one value go in batches of their own; those of None go in any."""

    def joining() -> Callable[[J], bool]:
        joined: set[Hashable] = set()

        def may_join(job: J) -> bool:
            value = value_of(job)
            if value is None or value not in joined:
                joined.add(value)
                return True
            return False

        return may_join

    return joining


def _anything(_job: object) -> bool:
    return True


async def _twice_at_most(
    run: Callable[[Sequence[J]], Awaitable[Sequence[Settled[R]]]], jobs: Sequence[J]
) -> Sequence[Settled[R]]:
    try:
        return await run(jobs)
    except Unavailable as error:
        if not error.repeatable:
            raise
    return await run(jobs)


def _settle(answer: asyncio.Future[R], outcome: Settled[R]) -> bool:
    """Answer a job; False if there is no outcome yet."""
    if outcome.held:
        return False
    if answer.done():  # the caller went away; the work is done and stored all the same
        return True
    if outcome.error is not None:
        answer.set_exception(outcome.error)
    else:
        answer.set_result(outcome.result)  # type: ignore[arg-type]
    return True


def _fail(batch: list[_Queued[J, R]], error: BaseException) -> None:
    for queued in batch:
        _settle(queued.answer, Settled(error=error))
