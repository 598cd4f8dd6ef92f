"""What the fake servers have in common: requests, answers, and the ways of going wrong."""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """What goes wrong with one request. `…_DONE`: the message is taken first, only its answer is lost."""

    REFUSE = "refuse"
    RESET = "reset"
    RESET_DONE = "reset-done"
    GOAWAY = "goaway"
    GOAWAY_DONE = "goaway-done"
    DROP = "drop"
    DROP_DONE = "drop-done"
    HANG = "hang"
    SLOW = "slow"
    EMPTY_DATA = "empty-data"
    HUGE = "huge"
    NO_ID = "no-id"
    OTHER_ID = "other-id"


@dataclass(frozen=True, slots=True)
class Received:
    """A request.

    :ivar headers: with pseudo-headers, as they came; a name can stand twice
    :ivar topic: of the client's certificate, None without one
    """

    headers: Sequence[tuple[str, str]]
    body: bytes
    topic: str | None = None

    def header(self, name: str) -> str | None:
        """The first header of this name."""
        return next((value for known, value in self.headers if known == name), None)

    @property
    def method(self) -> str:
        """GET, POST …"""
        return self.header(":method") or ""

    @property
    def path(self) -> str:
        """With its query."""
        return self.header(":path") or ""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    authenticated: bool = True

    @classmethod
    def json(cls, status: int, content: Any, **headers: str) -> Reply:
        """An answer of JSON; `retry_after` becomes `retry-after`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        kind = {"content-type": "application/json"}
        return cls(status, {**kind, **named}, json.dumps(content).encode())


Handler = Callable[[Received], Reply]


class Faults:
    """Which requests go wrong.

    :ivar planned: of the next requests, in order; None: that one goes well
    :ivar replies: answers given in place of the server's own to the next requests
    :ivar shares: of all other requests, by chance
    :ivar slow_seconds: how long a slow answer takes
    """

    def __init__(self, seed: int = 0) -> None:
        self.planned: deque[Fault | None] = deque()
        self.replies: deque[Reply] = deque()
        self.shares: dict[Fault, float] = {}
        self.slow_seconds = 1.0
        self._random = random.Random(seed)  # noqa: S311 - the same run each time

    def plan(self, *faults: Fault | None) -> None:
        """Let the next requests go wrong."""
        self.planned.extend(faults)

    def next(self) -> Fault | None:
        """What goes wrong with the request that has just come."""
        if self.planned:
            return self.planned.popleft()
        if not self.shares:
            return None
        point = self._random.random()
        for fault, share in self.shares.items():
            if point < share:
                return fault
            point -= share
        return None

    def reply(self, handler: Handler, received: Received) -> Reply:
        """The planned answer, else the server's own."""
        return self.replies.popleft() if self.replies else handler(received)
