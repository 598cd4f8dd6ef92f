"""What a service of several workers says about itself, whichever of them is asked."""

from __future__ import annotations

import asyncio
import json
import time
import zlib
from collections.abc import Awaitable, Callable, Sequence

from servicekit.health import CHECK_SECONDS, Health, Vitals
from servicekit.logs import get_logger
from servicekit.metrics import Family, merged
from servicekit.prefork.board import AnswerTooLong, Place, Question

_log = get_logger(__name__)

_LOOK_SECONDS = 0.01
_YES, _NO = b"1", b"0"
_FASTEST = 1
_WORST_FIRST = (Health.DOWN, Health.DEGRADED)


class WholeService:
    """`Vitals` of a service, as one of its workers tells them.

    :param own: of this worker
    :param place: of this worker on the board
    """

    def __init__(self, own: Vitals, place: Place) -> None:
        self._own = own
        self._place = place
        self._places: Sequence[Place] = place.board.places
        self._content: dict[Question, Callable[[], Awaitable[bytes]]] = {
            Question.HEALTH: self._own_health,
            Question.READINESS: self._own_readiness,
            Question.METRICS: self._own_figures,
        }
        self._answering: dict[Question, asyncio.Task[None]] = {}
        # Counts go on where the worker before this one left them.
        self._before = _counted(place)

    async def alive(self) -> bool:
        """Whether the event loop of every worker that serves comes round."""
        latest = time.monotonic() - CHECK_SECONDS
        return all(place.beat > latest for place in self._serving())

    async def health(self) -> Health:
        """As the worst of the workers that serve is."""
        if not await self._answers(Question.HEALTH):
            return Health.DOWN
        said = {place.read(Question.HEALTH) for place in self._serving()}
        return next((one for one in _WORST_FIRST if one.encode() in said), Health.UP)

    async def ready(self) -> bool:
        """Whether all workers can serve requests now."""
        return len(self._serving()) == len(self._places) and await self._all_are_ready()

    async def figures(self) -> list[Family]:
        """The metrics of all workers together; of those that have ended, what they counted."""
        await self._answers(Question.METRICS)
        return merged(_read_families(place) if place.ready else _counted(place) for place in self._places)

    def answer_what_is_asked(self) -> None:
        """Begin to answer in the background what was asked since the last answer."""
        for question in Question:
            asked = self._place.board.asked(question)
            if asked > self._place.answered(question) and question not in self._answering:
                task = asyncio.create_task(self._answer(question), name=f"answer {question.name}")
                self._answering[question] = task

    async def stop(self) -> None:
        """Leave last figures for the next worker in this place."""
        await asyncio.gather(*self._answering.values())
        await self._answer(Question.METRICS)

    async def _answer(self, question: Question) -> None:
        began = time.monotonic()
        try:
            self._place.answer(question, began, await self._content[question]())
        except AnswerTooLong as error:
            _log.error("answer for the other workers left out", question=question.name, reason=str(error))
        finally:
            self._answering.pop(question, None)

    async def _own_figures(self) -> bytes:
        content = [
            (family.name, family.kind, family.description, family.samples)
            for family in merged([self._before, await self._own.figures()])
        ]
        return zlib.compress(json.dumps(content).encode(), _FASTEST)

    async def _own_health(self) -> bytes:
        return (await self._own.health()).encode()

    async def _own_readiness(self) -> bytes:
        return _YES if await self._own.ready() else _NO

    async def _all_are_ready(self) -> bool:
        return await self._answers(Question.READINESS) and all(
            place.read(Question.READINESS) == _YES for place in self._serving()
        )

    async def _answers(self, question: Question) -> bool:
        """Have every worker that serves answer; whether all did in time."""
        asked = self._place.board.ask(question)
        self.answer_what_is_asked()
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                while any(place.answered(question) < asked for place in self._serving()):  # noqa: ASYNC110
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            _log.warning("not all workers answer", question=question.name)
            return False
        return True

    def _serving(self) -> list[Place]:
        return [place for place in self._places if place.ready]


def _counted(place: Place) -> list[Family]:
    """What goes on counting when the worker of a place has ended; how things were with it does not."""
    return [family for family in _read_families(place) if family.lasts]


def _read_families(place: Place) -> list[Family]:
    content = place.read(Question.METRICS)
    if not content:
        return []
    return [
        Family(name, kind, description, [(sample, labels, value) for sample, labels, value in samples])
        for name, kind, description, samples in json.loads(zlib.decompress(content))
    ]
