"""Documents of the core that everybody may read: public keys and discovery (spec/device-trust.md §2.5).

What is remembered is asked for again every minute; while the core is away, known documents serve on for a
while. They are copies: whoever must not trust this service takes keys from inside the network (D24).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from enrollment.core_client import CoreDoor
from enrollment.errors import UnknownIssuer
from powerauth_contracts.calls import Call
from powerauth_contracts.dmz.signed_tokens import PublishedAnswer, PublishedRequest
from powerauth_contracts.texts import CoreRefused
from powerauth_contracts.wire import json_bytes
from servicekit.caching import Cache
from servicekit.errors import RemoteUnavailable
from servicekit.logs import get_logger

_log = get_logger(__name__)

DOCUMENTS_REMEMBERED = 1_000
REVALIDATE_SECONDS = 60.0
MAXIMUM_AGE_SECONDS = 300.0
Published = Call[PublishedRequest, PublishedAnswer]


@dataclass(frozen=True, slots=True)
class Document:
    """A document as it is sent.

    :ivar etag: without its quotes
    """

    content: bytes
    etag: str


@dataclass(slots=True)
class _Entry:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    document: Document | None = None
    confirmed_at: float = 0.0


class PublishedDocuments:
    """Documents by call and application; one request asks the core, others wait for its answer."""

    def __init__(self, door: CoreDoor, *, now: Callable[[], float] = time.monotonic) -> None:
        self._door = door
        self._now = now
        self._entries: Cache[tuple[str, str | None], _Entry] = Cache(DOCUMENTS_REMEMBERED)

    async def get(self, target: Published, application_id: str | None) -> Document:
        """The document of an application, or of all without keys of their own.

        :raises UnknownIssuer: there is none
        :raises RemoteUnavailable: the core does not answer, and nothing recent enough is known
        """
        key = target.path, application_id
        entry = self._entries.get(key) or _Entry()
        async with entry.lock:
            if entry.document is None or self._now() - entry.confirmed_at >= REVALIDATE_SECONDS:
                entry.document = await self._asked(target, application_id, entry)
                # Only what exists is remembered: strangers can think of any number of names.
                self._entries.put(key, entry)
        return entry.document

    async def _asked(self, target: Published, application_id: str | None, entry: _Entry) -> Document:
        known = entry.document
        etag = None if known is None else known.etag
        try:
            answer = await self._door.call(target, application_id=application_id, etag=etag)
        except CoreRefused:
            self._entries.drop((target.path, application_id))
            raise UnknownIssuer from None
        except RemoteUnavailable:
            if known is None or self._now() - entry.confirmed_at > MAXIMUM_AGE_SECONDS:
                raise
            _log.warning("document not revalidated, the known one serves on", path=target.path)
            return known
        entry.confirmed_at = self._now()
        if known is not None and answer.not_modified:
            return known
        return Document(json_bytes(answer.document), answer.etag)
