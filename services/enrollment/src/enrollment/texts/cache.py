"""Localised texts by operation type, revalidated by ETag (D1 rule 6, D2)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from enrollment.core_client import CoreDoor
from enrollment.texts.rows import TextRow
from powerauth_contracts.dmz.table import TEXTS
from powerauth_contracts.texts import CoreRefused
from servicekit.caching import Cache
from servicekit.errors import RemoteUnavailable
from servicekit.logs import get_logger

_log = get_logger(__name__)

OPERATION_TYPES_REMEMBERED = 1_000


@dataclass(slots=True)
class _Entry:
    """What is known of one operation type; `confirmed_at` is when the core last said that it is right."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    rows: tuple[TextRow, ...] = ()
    etag: str | None = None
    confirmed_at: float | None = None


class TextCache:
    """The texts of every operation type in use.

    One request asks the core when an entry is older than the revalidation time; others wait for its answer.
    When the core cannot be reached, known texts serve on up to their maximum age.
    """

    def __init__(
        self,
        door: CoreDoor,
        *,
        revalidate_seconds: float,
        maximum_age_seconds: float,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._door = door
        self._revalidate = revalidate_seconds
        self._maximum_age = maximum_age_seconds
        self._now = now
        self._entries: Cache[str, _Entry] = Cache(OPERATION_TYPES_REMEMBERED)

    async def rows(self, operation_type: str) -> tuple[TextRow, ...]:
        """Return all languages of an operation type; empty when it has no texts.

        :raises RemoteUnavailable: when the core does not answer and nothing recent enough is known.
        """
        entry = self._entry(operation_type)
        if not self._is_fresh(entry):
            async with entry.lock:
                if not self._is_fresh(entry):
                    await self._refresh(operation_type, entry)
        return entry.rows

    async def rows_of(self, operation_types: Collection[str]) -> Mapping[str, tuple[TextRow, ...]]:
        """The same for several types; what has to be asked for is asked for at once.

        :raises RemoteUnavailable: as `rows`
        """
        fresh = {each: entry.rows for each in operation_types if self._is_fresh(entry := self._entry(each))}
        stale = [each for each in operation_types if each not in fresh]
        if not stale:
            return fresh
        return fresh | dict(zip(stale, await asyncio.gather(*map(self.rows, stale)), strict=True))

    def _entry(self, operation_type: str) -> _Entry:
        entry = self._entries.get(operation_type)
        if entry is None:
            entry = _Entry()
            self._entries.put(operation_type, entry)
        return entry

    def _is_fresh(self, entry: _Entry) -> bool:
        return entry.confirmed_at is not None and self._now() - entry.confirmed_at < self._revalidate

    async def _refresh(self, operation_type: str, entry: _Entry) -> None:
        try:
            answer = await self._door.call(TEXTS, operation_type=operation_type, etag=entry.etag)
        except CoreRefused as refusal:
            raise RemoteUnavailable(f"the core refused to tell texts: {refusal.code}") from None
        except RemoteUnavailable:
            if entry.confirmed_at is None or self._now() - entry.confirmed_at > self._maximum_age:
                raise
            _log.warning("texts not revalidated, known ones serve on", operation_type=operation_type)
            return
        if not answer.not_modified:
            entry.rows = tuple(
                TextRow(row.language, row.title, row.message, row.attributes, row.ui, row.result_texts)
                for row in answer.rows
                if row.placeholder == operation_type
            )
            entry.etag = answer.etag
        entry.confirmed_at = self._now()
