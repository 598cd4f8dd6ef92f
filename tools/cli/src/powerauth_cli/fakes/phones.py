"""The phones behind the fake providers: which tokens they have, and what they would show."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

FAKE_PHONES = "/fake-phones"
"""Context path under which they are asked over HTTP, each by its token."""
PATIENCE_SECONDS = 20.0
"""How long such a question waits for a message."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One message as a phone has it.

    :ivar delivery: the name by which the provider knows it, if there is one
    :ivar extras: what the app gets
    """

    provider: str
    token: str
    title: str | None = None
    body: str | None = None
    badge: int | None = None
    sound: str | None = None
    silent: bool = False
    delivery: str | None = None
    extras: Mapping[str, Any] = field(default_factory=dict)

    def text(self) -> str:
        """For people; of the token only its beginning."""
        head = f"{self.provider} …{self.token[:6]}:"
        if self.silent:
            head += " (silent)"
        parts = [part for part in (self.title, self.body) if part]
        marks = [f"badge {self.badge}"] if self.badge is not None else []
        marks += [f"sound {self.sound}"] if self.sound else []
        marks += [f"{name}={value}" for name, value in self.extras.items()]
        return " ".join([head, ": ".join(parts), f"[{', '.join(marks)}]" if marks else ""]).rstrip()


class Phones:
    """Every token belongs to some phone, unless it is said otherwise.

    :ivar gone: tokens whose app was removed, with the moment in milliseconds since the epoch
    :ivar foreign: tokens of other apps
    :ivar unknown: tokens that never were
    :ivar inbox: what phones got, the oldest first
    :ivar count: of all messages that phones ever got
    :param on_shown: hears of each message
    """

    def __init__(self, on_shown: Callable[[Shown], None] | None = None, keep: int = 100_000) -> None:
        self.gone: dict[str, int] = {}
        self.foreign: set[str] = set()
        self.unknown: set[str] = set()
        self.inbox: deque[Shown] = deque(maxlen=keep)
        self.count = 0
        self._something = asyncio.Event()
        self._on_shown = on_shown

    def remove_app(self, token: str) -> None:
        """Its app is removed now."""
        self.gone[token] = time.time_ns() // 1_000_000

    def show(self, shown: Shown) -> None:
        """A phone gets a message."""
        self.inbox.append(shown)
        self.count += 1
        self._something.set()
        self._something = asyncio.Event()
        if self._on_shown is not None:
            self._on_shown(shown)

    def shown(self, token: str, after: int = 0) -> list[Shown]:
        """What one phone got.

        :param after: so many messages to all phones are left out
        """
        skipped = max(after - (self.count - len(self.inbox)), 0)
        return [one for one in islice(self.inbox, skipped, None) if one.token == token]

    async def wait(self, token: str, after: int = 0) -> list[Shown]:
        """The same, once there is something."""
        while not (found := self.shown(token, after)):
            await self._something.wait()
        return found

    def deliveries(self) -> list[str | None]:
        """The names of all messages that phones got, in order."""
        return [shown.delivery for shown in self.inbox]
