"""Discovery documents of identity providers, kept for a while: no public request costs an outgoing one.

Only addresses that an administrator configured get here; what strangers name is refused before.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from servicekit.caching import Cache

CAPACITY = 256
FRESH_SECONDS = 300.0
SHORTEST_SECONDS = 60.0
LONGEST_SECONDS = 3600.0
RETRY_SECONDS = 30.0
"""After a failure nobody asks again for so long."""
STALE_SECONDS = 3600.0
"""For so long a document may be used while its provider does not answer."""

_MAX_AGE = re.compile(r"max-age=([0-9]{1,9})", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A provider's answer.

    :ivar document: None if it is the one of the entity tag that was sent
    :ivar etag: its entity tag
    :ivar cache_control: header of the answer
    """

    document: dict[str, Any] | None
    etag: str | None = None
    cache_control: str = ""

    @property
    def seconds(self) -> float:
        """How long it may be used, inside bounds."""
        told = _MAX_AGE.search(self.cache_control)
        return min(max(float(told[1]), SHORTEST_SECONDS), LONGEST_SECONDS) if told else FRESH_SECONDS


Fetch = Callable[[str | None], Awaitable[Fetched | None]]
"""Asks the provider, with the entity tag of what is known; None if there is no usable answer."""


@dataclass(slots=True)
class _Entry:
    document: dict[str, Any] | None
    etag: str | None
    ask_again: float
    usable_until: float


@dataclass(slots=True)
class DiscoveryCache:
    """Documents and failures by address; bounded, and asked for once at a time.

    :ivar clock: seconds that only go forward
    """

    clock: Callable[[], float] = time.monotonic
    _entries: Cache[str, _Entry] = field(default_factory=lambda: Cache(CAPACITY))
    _flights: dict[str, asyncio.Task[dict[str, Any] | None]] = field(default_factory=dict)

    async def get(self, uri: str, fetch: Fetch) -> dict[str, Any] | None:
        """The document at an address, None if there is no usable one."""
        entry = self._entries.get(uri)
        if entry is not None and self.clock() < entry.ask_again:
            return entry.document
        flight = self._flights.get(uri)
        if flight is None:
            flight = self._flights[uri] = asyncio.create_task(self._load(uri, entry, fetch))
            flight.add_done_callback(lambda _: self._flights.pop(uri, None))
        # A caller that goes away must not take the answer from the others.
        return await asyncio.shield(flight)

    async def _load(self, uri: str, known: _Entry | None, fetch: Fetch) -> dict[str, Any] | None:
        etag = None if known is None or known.document is None else known.etag
        fetched = await fetch(etag)
        now = self.clock()
        entry = _failed(known, now) if fetched is None else _renewed(known, fetched, now)
        self._entries.put(uri, entry)
        return entry.document


def _renewed(known: _Entry | None, fetched: Fetched, now: float) -> _Entry:
    document, etag = fetched.document, fetched.etag
    if document is None and known is not None:
        document, etag = known.document, etag or known.etag
    return _Entry(document, etag, now + fetched.seconds, now + fetched.seconds + STALE_SECONDS)


def _failed(known: _Entry | None, now: float) -> _Entry:
    if known is None or now >= known.usable_until:
        return _Entry(None, None, now + RETRY_SECONDS, now)
    return _Entry(known.document, known.etag, now + RETRY_SECONDS, known.usable_until)
