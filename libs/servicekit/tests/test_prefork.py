"""Several workers on one port: real processes, which are killed and stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from textwrap import dedent

import httpx2
import pytest

from servicekit.health import ProcessVitals
from servicekit.metrics import Family, exposition, merged
from servicekit.prefork.board import CONTENT_BYTES, AnswerTooLong, Board, Question
from servicekit.prefork.vitals import WholeService
from servicekit.serving import bound_socket, free_port
from servicekit.testing import PATIENCE_SECONDS, has_said

WORKERS = 3
PROGRAM = """
    import asyncio, os, sys
    from contextlib import asynccontextmanager
    from fastapi import APIRouter
    from servicekit import metrics
    from servicekit.app import create_app, serve
    from servicekit.errors import ErrorFamily, fixed
    from servicekit.settings import ServiceSettings
    from servicekit.start_rules import Finding, StartRefused

    word = fixed(500, "E", "")
    family = ErrorFamily(lambda c, p: word(c), word, word, word, word, word, word, word)
    router = APIRouter()
    calls = metrics.counter("calls", "Calls")
    port, management_port, workers, fault = sys.argv[1:]

    @asynccontextmanager
    async def lifespan(_app):
        if fault == "refused":
            raise StartRefused(Finding("SETTING", "is wrong"))
        if fault == "broken":
            raise RuntimeError("no database")
        if fault == "killed":
            os.abort()
        yield

    @router.get("/pid")
    async def pid() -> int:
        calls.inc()
        return os.getpid()

    @router.get("/slow")
    async def slow() -> str:
        print("working", flush=True)
        await asyncio.sleep(0.5)
        return "done"

    settings = ServiceSettings(
        port=int(port), management_port=int(management_port), workers=int(workers), metrics_enabled=True,
        health_cache_seconds=0,
    )
    serve(create_app("t", "1", settings, family, lifespan, [router]), settings)
"""


@dataclass
class Service:
    """A supervisor with its workers."""

    process: asyncio.subprocess.Process
    url: str
    management: str

    async def pid(self) -> int:
        """Which worker serves a new connection."""
        async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            return int((await client.get(f"{self.url}/pid")).json())

    async def is_ready(self) -> bool:
        """Whether all workers are."""
        with suppress(httpx2.TransportError):
            async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client:
                answer = await client.get(f"{self.management}/actuator/health/readiness")
                return answer.status_code == 200
        return False

    async def becomes(self, *, ready: bool) -> None:
        """Wait until it is ready, or not ready."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await self.is_ready() is not ready:  # noqa: ASYNC110 - of another process
                await asyncio.sleep(0.02)

    async def calls(self) -> int:
        """How many calls the metrics tell of."""
        async with httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client:
            lines = (await client.get(f"{self.management}/metrics")).text.splitlines()
        return int(float(next(line.split()[1] for line in lines if line.startswith("calls_total "))))


async def _launched(*arguments: object) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", dedent(PROGRAM), *map(str, arguments)), stdout=pipe, stderr=pipe
    )


@asynccontextmanager
async def _running() -> AsyncGenerator[Service]:
    port, management_port = free_port(), free_port()
    process = await _launched(port, management_port, WORKERS, "")
    service = Service(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{management_port}")
    try:
        await service.becomes(ready=True)
        yield service
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def test_connections_are_spread_evenly_and_stay() -> None:
    async with _running() as service, AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(httpx2.AsyncClient(timeout=PATIENCE_SECONDS))
            for _ in range(4 * WORKERS)
        ]
        for _ in range(2):
            pids = Counter([(await client.get(f"{service.url}/pid")).json() for client in clients])
            assert len(pids) == WORKERS
            assert set(pids.values()) == {4}
        assert await service.calls() == 8 * WORKERS


async def test_a_killed_worker_is_replaced_and_what_was_counted_stays() -> None:
    async with _running() as service:
        pids = {await service.pid() for _ in range(3 * WORKERS)}
        assert len(pids) == WORKERS
        assert await service.calls() == 3 * WORKERS
        os.kill(killed := min(pids), signal.SIGKILL)
        await service.becomes(ready=False)
        assert killed not in {await service.pid() for _ in range(WORKERS)}
        assert await service.calls() == 4 * WORKERS
        await service.becomes(ready=True)
        after = {await service.pid() for _ in range(3 * WORKERS)}
        assert len(after) == WORKERS
        assert pids - {killed} < after
        assert await service.calls() == 7 * WORKERS


async def test_the_service_finishes_its_requests_on_sigterm_and_ends_well() -> None:
    async with _running() as service, httpx2.AsyncClient(timeout=PATIENCE_SECONDS) as client:
        assert service.process.stdout is not None
        requests = [asyncio.create_task(client.get(f"{service.url}/slow")) for _ in range(2 * WORKERS)]
        await has_said(service.process.stdout, "working", len(requests))
        service.process.terminate()
        assert {(await request).json() for request in requests} == {"done"}
        assert await service.process.wait() == 0


async def test_workers_end_with_their_supervisor() -> None:
    async with _running() as service:
        pids = {await service.pid() for _ in range(3 * WORKERS)}
        service.process.kill()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while any(os.path.exists(f"/proc/{pid}") for pid in pids):  # noqa: ASYNC110, ASYNC240
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("fault", "status"), [("refused", 78), ("broken", 3), ("killed", 128 + signal.SIGABRT)]
)
async def test_a_service_whose_first_worker_does_not_start_ends_with_its_status(
    fault: str, status: int
) -> None:
    process = await _launched(free_port(), free_port(), WORKERS, fault)
    output, errors = await process.communicate()
    assert process.returncode == status
    assert output.count(b"given up") == 1
    assert errors.count(b"SETTING: is wrong") == (fault == "refused")


async def test_a_taken_address_is_refused_before_anything_is_started() -> None:
    with bound_socket("127.0.0.1", 0) as taken:
        taken.listen()
        process = await _launched(taken.getsockname()[1], free_port(), WORKERS, "")
        output, _ = await process.communicate()
    assert process.returncode == 3
    assert b"cannot serve on" in output


def test_an_answer_on_the_board_is_the_last_one_that_was_finished() -> None:
    place = Board(2).places[1]
    assert (place.answered(Question.METRICS), place.read(Question.METRICS)) == (0, b"")
    for began, content in ((1.0, b"one"), (2.0, b"another"), (3.0, b"")):
        place.answer(Question.METRICS, began, content)
        assert (place.answered(Question.METRICS), place.read(Question.METRICS)) == (began, content)
    assert place.read(Question.HEALTH) == b""
    with pytest.raises(AnswerTooLong):
        place.answer(Question.HEALTH, 4.0, bytes(CONTENT_BYTES + 1))


class WorkerVitals(ProcessVitals):
    """Of a worker that has counted one call and holds something."""

    def __init__(self, number: str) -> None:
        super().__init__([], [], 0)
        self._number = number

    async def figures(self) -> list[Family]:
        return [
            Family("calls", "counter", "C", [("calls_total", {}, 1)]),
            Family("held", "gauge", "H", [("held", {"by": self._number}, 1)]),
        ]


async def test_of_a_worker_that_has_ended_stays_what_it_counted_but_not_how_it_was() -> None:
    serving, ended = Board(2).places
    await WholeService(WorkerVitals("ended"), ended).stop()
    serving.tell(ready=True, closed=0)
    told = await WholeService(WorkerVitals("serving"), serving).figures()
    samples = [sample for family in told for sample in family.samples]
    assert samples == [("calls_total", {}, 2), ("held", {"by": "serving"}, 1)]


def test_counts_are_added_up_and_gauges_are_not() -> None:
    def process(count: float, started: float, memory: float, age: float) -> list[Family]:
        return [
            Family("c", "counter", "C", [("c_total", {"x": "1"}, count), ("c_created", {"x": "1"}, started)]),
            Family("h", "histogram", "H", [("h_bucket", {"le": "1.0"}, count), ("h_count", {}, count)]),
            Family(
                "process_resident_memory_bytes", "gauge", "M", [("process_resident_memory_bytes", {}, memory)]
            ),
            Family("oldest", "gauge", "O", [("oldest", {}, age)]),
            Family(
                "tls_certificate_expiry_seconds", "gauge", "T", [("tls_certificate_expiry_seconds", {}, age)]
            ),
        ]

    other = [Family("c", "counter", "C", [("c_total", {"x": "2"}, 9)])]
    text = exposition(merged([process(1, 10, 100, 5), process(2, 7, 50, 8), other])).decode()
    lines = {line for line in text.splitlines() if not line.startswith("#")}
    assert lines == {
        'c_total{x="1"} 3.0',
        'c_total{x="2"} 9.0',
        'c_created{x="1"} 7.0',
        'h_bucket{le="1.0"} 3.0',
        "h_count 3.0",
        "process_resident_memory_bytes 150.0",
        "oldest 8.0",
        "tls_certificate_expiry_seconds 5.0",
    }
