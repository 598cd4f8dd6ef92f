"""What the processes of a service tell each other, in memory that they share: no lock, no file, no socket.

Everything has one writer. A question is the moment at which somebody asked; whoever has a later answer on the
board has answered it. Moments are of :func:`time.monotonic`, which all processes of a machine share.
"""

from __future__ import annotations

import mmap
import time
from enum import IntEnum

CONTENT_BYTES = 1024 * 1024
"""Bound of an answer. Memory that no answer has needed yet is not taken."""
_NUMBER_BYTES = 8
_BUFFERS = 2


class AnswerTooLong(Exception):
    """An answer does not fit on the board."""


class Question(IntEnum):
    """What a worker can be asked."""

    HEALTH = 0
    READINESS = 1
    METRICS = 2


class _Fact(IntEnum):
    """Numbers of a worker; behind them moment, number and lengths of the answers to each question."""

    READY = 0
    BEAT = 1
    CLOSED = 2


class _Part(IntEnum):
    """Numbers of an answer."""

    BEGAN = 0
    COUNT = 1
    LENGTH = 2
    LENGTH_OF_OTHER = 3


_FACTS = len(_Fact) + len(Question) * len(_Part)


class Board:
    """The memory, with a `Place` for each worker.

    :param workers: how many there are
    """

    def __init__(self, workers: int) -> None:
        numbers = mmap.mmap(-1, (len(Question) + workers * _FACTS) * _NUMBER_BYTES)
        self._numbers = memoryview(numbers).cast("d")
        self._content = mmap.mmap(-1, workers * len(Question) * _BUFFERS * CONTENT_BYTES)
        self.places = [Place(self, number) for number in range(workers)]

    def ask(self, question: Question) -> float:
        """Ask everybody; the moment of it."""
        asked = time.monotonic()
        self._numbers[question] = asked
        return asked

    def asked(self, question: Question) -> float:
        """When somebody asked last; 0: never."""
        return float(self._numbers[question])

    def number(self, place: int, fact: int) -> float:
        """A number of a place."""
        return float(self._numbers[len(Question) + place * _FACTS + fact])

    def set_number(self, place: int, fact: int, value: float) -> None:
        """Write it."""
        self._numbers[len(Question) + place * _FACTS + fact] = value

    def content(self, place: int, question: Question, count: int) -> memoryview:
        """The buffer of an answer; the one before it has the other buffer."""
        start = ((place * len(Question) + question) * _BUFFERS + count % _BUFFERS) * CONTENT_BYTES
        return memoryview(self._content)[start : start + CONTENT_BYTES]


class Place:
    """What one worker says. Written by the worker alone, and by the supervisor when there is none."""

    def __init__(self, board: Board, number: int) -> None:
        self.board = board
        self.number = number

    @property
    def ready(self) -> bool:
        """Whether the worker has started and takes connections."""
        return bool(self.board.number(self.number, _Fact.READY))

    @property
    def beat(self) -> float:
        """When the worker's event loop last came round."""
        return self.board.number(self.number, _Fact.BEAT)

    @property
    def closed(self) -> int:
        """How many of the connections that it was given have ended."""
        return int(self.board.number(self.number, _Fact.CLOSED))

    def tell(self, *, ready: bool, closed: int) -> None:
        """The worker's event loop has come round."""
        self.board.set_number(self.number, _Fact.CLOSED, closed)
        self.board.set_number(self.number, _Fact.BEAT, time.monotonic())
        self.board.set_number(self.number, _Fact.READY, ready)

    def answered(self, question: Question) -> float:
        """When the last answer was begun; 0: there is none."""
        return self.board.number(self.number, self._field(question, _Part.BEGAN))

    def answer(self, question: Question, began: float, content: bytes) -> None:
        """Answer a question.

        :param began: a moment after which everything in the answer was found out
        :raises AnswerTooLong: it does not fit
        """
        if len(content) > CONTENT_BYTES:
            raise AnswerTooLong(f"{len(content)} bytes")
        count = self._count(question) + 1
        self.board.content(self.number, question, count)[: len(content)] = content
        length = self._field(question, _Part.LENGTH + count % _BUFFERS)
        self.board.set_number(self.number, length, len(content))
        # Whoever reads goes by these, so they come last.
        self.board.set_number(self.number, self._field(question, _Part.COUNT), count)
        self.board.set_number(self.number, self._field(question, _Part.BEGAN), began)

    def read(self, question: Question) -> bytes:
        """The last answer; empty: there is none."""
        while True:
            count = self._count(question)
            length = self.board.number(self.number, self._field(question, _Part.LENGTH + count % _BUFFERS))
            content = bytes(self.board.content(self.number, question, count)[: int(length)])
            if self._count(question) == count:
                return content

    def _count(self, question: Question) -> int:
        return int(self.board.number(self.number, self._field(question, _Part.COUNT)))

    @staticmethod
    def _field(question: Question, part: int) -> int:
        return len(_Fact) + question * len(_Part) + part
