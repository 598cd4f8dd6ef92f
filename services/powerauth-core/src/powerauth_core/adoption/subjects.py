"""The users that adopted audit records are about, so that they are found by them (cloud-api §16).

The original names the user inside the parameters only; here a column of its own is searched.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from powerauth_protocol.common.json_text import read_json
from servicekit.logs import get_logger

log = get_logger(__name__)

_BATCH = 2000
_USER_MEMBERS = ("userId", "user")
_SUBJECT_LENGTH = 256
_NEXT = text(
    "SELECT audit_log_id, param, subject_id FROM audit_log WHERE audit_log_id > :after"
    " ORDER BY audit_log_id LIMIT :batch"
)
_WRITE = text("UPDATE audit_log SET subject_id = :subject WHERE audit_log_id = :id")


async def name_subjects(connection: AsyncConnection) -> int:
    """Fill the subject of every record that tells it, a transaction a batch; how many there were."""
    after, named = "", 0
    while True:
        rows = (await connection.execute(_NEXT, {"after": after, "batch": _BATCH})).all()
        if not rows:
            await connection.rollback()
            log.info("subjects of audit records filled in", records=named)
            return named
        subjects = [(row[0], subject_of(row[1])) for row in rows if row[2] is None]
        found = [{"id": rid, "subject": subject} for rid, subject in subjects if subject is not None]
        if found:
            await connection.execute(_WRITE, found)
        await connection.commit()
        after, named = rows[-1][0], named + len(found)


def subject_of(param: str | None) -> str | None:
    """The user that the parameters of a record name, if they are a JSON object and name one."""
    if not param:
        return None
    try:
        members: Any = read_json(param)
    except ValueError:
        return None
    if not isinstance(members, dict):
        return None
    for name in _USER_MEMBERS:
        if isinstance(members.get(name), str) and members[name]:
            return str(members[name])[:_SUBJECT_LENGTH]
    return None
