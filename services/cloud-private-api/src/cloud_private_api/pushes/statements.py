"""The statements of the outbox that creations of operations pay for (CONTRIBUTING.md, hot statements)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cloud_private_api.pushes.models import PushOutbox
from cloud_private_api.pushes.rules import Announcement, content_text
from servicekit.additions import Additions, Target
from servicekit.database import Database

_TABLE = PushOutbox.__tablename__
_ADDED = Target(
    _TABLE,
    {
        "id": "varchar",
        "content": "text",
        "attempts": "int",
        "timestamp_created": "timestamp",
        "timestamp_expires": "timestamp",
        "timestamp_due": "timestamp",
    },
    once=True,
)
# As the outbox of events: what a crash of the database brings back is sent again, and push ignores it.
DELETE = f"""DELETE FROM {_TABLE} USING (SELECT set_config('synchronous_commit', 'off', true)) quickly
WHERE id = ANY($1::varchar[])"""  # noqa: S608 our name


async def add(database: Database, announcements: Sequence[tuple[Announcement, datetime]]) -> None:
    """Store announcements, each with the moment from which others may take it.

    :raises Unavailable: the database could not be reached, or did not confirm
    """
    additions = Additions(database)
    for item, due in announcements:
        row = (item.id, content_text(item), item.attempts, item.created, item.expires, due)
        additions.add(_ADDED, row)
    if database.dialect == "postgresql":
        async with database.driver() as driver:
            await additions.write_by(driver)
    else:
        async with database.transaction() as session:
            await additions.write(session)
