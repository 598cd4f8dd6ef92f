"""The command that prints an audit log as JSON lines (``powerauth audit export``)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import datetime

from servicekit.audit_export.feed import AuditFeed, CursorAhead
from servicekit.audit_export.formats import Format
from servicekit.audit_export.records import AuditRecord
from servicekit.audit_export.stream import lines_of
from servicekit.commands import Outcome
from servicekit.database import Database

_PAGE = 1_000
_LOOK_SECONDS = 1.0


async def export(
    database: Database,
    service: str,
    say: Callable[[str], object],
    *,
    chosen: Format,
    cursor: int | None = None,
    since: datetime | None = None,
    follow: bool = False,
) -> Outcome:
    """Say every record in its order, a line each; memory for a thousand.

    :param cursor: place of the last record that is known; None: from the first that has a place
    :param since: naive UTC: from this moment on, records from before there were places first
    :param follow: go on with what is written later, until it is cancelled
    """
    last = cursor or 0
    try:
        async for records in _pages(AuditFeed(database), cursor, since, follow=follow):
            for _, line in lines_of(chosen, records, service):
                say(line.decode("ascii"))
            last = records[-1].position or last
    except CursorAhead as error:
        return Outcome(False, f"This is not the database of the cursor, or it was set back: {error}.")
    return Outcome(True, f"cursor {last}")


async def _pages(
    feed: AuditFeed, cursor: int | None, since: datetime | None, *, follow: bool
) -> AsyncGenerator[Sequence[AuditRecord]]:
    after = cursor or 0
    if since is not None:
        after = await feed.first_since(since)
        async for records in feed.without_place(since, _PAGE):
            yield records
    while True:
        until = await feed.settled(after)
        while records := await feed.page(after, until, _PAGE):
            yield records
            after = records[-1].position or after
        if not follow:
            return
        await asyncio.sleep(_LOOK_SECONDS)
