"""A request is run again, once, if the database undid all of it and nobody else has heard of it (D27)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import httpx2
import pytest
from fastapi import APIRouter, FastAPI, Request
from starlette.middleware import Middleware

from servicekit import units
from servicekit.database import DatabaseUnavailable
from servicekit.edge.middleware import RunAgain

ClientOf = Callable[[FastAPI], httpx2.AsyncClient]


class Work:
    """Fails as often as it is told to, doing before what it is told to."""

    def __init__(self, failures: int, *before: Callable[[], None]) -> None:
        self.failures = failures
        self.before = before
        self.runs = 0

    async def do(self) -> int:
        self.runs += 1
        if self.runs <= self.failures:
            for each in self.before:
                each()
            raise DatabaseUnavailable("gone")
        return self.runs


async def test_work_that_left_nothing_behind_is_done_again_once() -> None:
    assert await units.repeated(Work(1, units.undone).do) == 2
    work = Work(9, units.undone)
    with pytest.raises(DatabaseUnavailable):
        await units.repeated(work.do)
    assert work.runs == 2


@pytest.mark.parametrize(
    "before",
    [(), (units.spent,), (units.spent, units.undone), (units.undone, units.spent)],
    ids=["nothing", "spent", "spent, undone", "undone, spent"],
)
async def test_work_that_may_have_left_something_is_not_done_again(
    before: tuple[Callable[[], None], ...],
) -> None:
    work = Work(1, *before)
    with pytest.raises(DatabaseUnavailable):
        await units.repeated(work.do)
    assert work.runs == 1


async def test_tasks_of_the_work_speak_for_it_and_work_inside_for_itself() -> None:
    async def inner() -> int:
        await units.repeated(Work(1, units.undone).do)
        return await asyncio.create_task(outer.do())

    outer = Work(1, units.undone)
    assert await units.repeated(inner) == 2


@pytest.fixture
def work() -> Work:
    """What the application below does."""
    return Work(1, units.undone)


@pytest.fixture
def app(make_app: Callable[..., FastAPI], work: Work) -> FastAPI:
    """An application whose requests are run again."""
    router = APIRouter()

    @router.post("/things/{name}")
    async def thing(name: str, request: Request) -> dict[str, object]:
        body = await request.body()
        return {"name": name, "body": body.decode(), "runs": await work.do()}

    made = make_app(router)
    made.user_middleware.append(Middleware(RunAgain))
    return made


async def _pieces() -> AsyncIterator[bytes]:
    yield b"in two "
    yield b"pieces"


async def test_a_request_is_run_again_with_the_body_that_arrived(app: FastAPI, client_of: ClientOf) -> None:
    answer = await client_of(app).post("/things/x", content=_pieces())
    assert answer.json() == {"name": "x", "body": "in two pieces", "runs": 2}


async def test_the_second_answer_is_final(app: FastAPI, client_of: ClientOf, work: Work) -> None:
    work.failures = 9
    answer = await client_of(app).post("/things/x")
    assert (answer.status_code, answer.headers["Retry-After"], work.runs) == (503, "1", 2)


async def test_a_request_that_stored_something_is_not_run_again(
    app: FastAPI, client_of: ClientOf, work: Work
) -> None:
    work.before = (units.spent, units.undone)
    answer = await client_of(app).post("/things/x")
    assert (answer.status_code, work.runs) == (503, 1)
