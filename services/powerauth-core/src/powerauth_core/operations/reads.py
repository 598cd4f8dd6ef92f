"""Hot reads of operations (CONTRIBUTING.md, hot statements)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from powerauth_contracts.enums import OperationStatus
from powerauth_core.activations.reads import stored_texts
from powerauth_core.kernel.base import texts_of
from powerauth_core.kernel.paging import Page
from powerauth_core.operations.stored import (
    OPERATION_COLUMNS,
    SHOWN_COLUMNS,
    ActivationFilter,
    OperationRow,
    ShownOperation,
    StoredOperation,
)
from powerauth_protocol.common.json_text import read_json
from servicekit.reads import LIST, Fetch, Read, Row, moment, reading

_FROM = "FROM pa_operation o WHERE"
_APPLICATIONS = (
    "(SELECT json_agg(p.name)::text FROM pa_operation_application l JOIN pa_application p"
    " ON p.id = l.application_id WHERE l.operation_id = o.id)"
)
WHOLE = f"{', '.join([f'o.{name}' for name in OPERATION_COLUMNS])}, {_APPLICATIONS}"
"""What `stored` takes of ``pa_operation o``."""
_WHOLE = f"SELECT {WHOLE} {_FROM}"
_SHOWN = f"SELECT {', '.join([f'o.{name}' for name in SHOWN_COLUMNS])}, o.totp_seed IS NOT NULL {_FROM}"
_LINK = "FROM pa_operation_application l WHERE l.operation_id = o.id AND l.application_id"
# None is a plain EXISTS: that is a join, or a table of all links, and by statistics older than the newest
# operations it looks cheapest from the application's side, through all that were ever made for it.
_LINKED = f"(SELECT l.application_id {_LINK} = $2) IS NOT NULL"
_IN_ANY = (
    f"EXISTS (SELECT 1 {_LINK} IN (SELECT value::bigint FROM jsonb_array_elements_text($2)) LIMIT 1 OFFSET 0)"
)
_VISIBLE = """($3 IS NULL OR o.activation_id IS NULL OR o.activation_id = $3)
    AND ($4 IS NULL OR o.activation_flag IS NULL
        OR o.activation_flag IN (SELECT value FROM jsonb_array_elements_text($4)))"""
# Not a plain comparison: by statistics older than the newest operations it is almost never true, and the
# planner would then read every pending operation of the system by (status, timestamp_expires).
_PENDING = (
    f"o.status = {OperationStatus.PENDING.code} AND CASE WHEN o.timestamp_expires >= $5 THEN 1 ELSE 0 END = 1"
)
_NEWEST_FIRST = "ORDER BY o.timestamp_created DESC, o.id LIMIT"

FIND = Read(
    f"""{_WHOLE} o.id = $1 AND ($2 IS NULL OR EXISTS (
        SELECT 1 FROM pa_operation_application l JOIN pa_application p ON p.id = l.application_id
        WHERE l.operation_id = o.id AND p.name IN (SELECT value FROM jsonb_array_elements_text($2))
        LIMIT 1 OFFSET 0))""",
    ("varchar", LIST),
)
PAGE_OF_USER = Read(
    f"{_WHOLE} o.user_id = $1 AND {_IN_ANY} AND {_VISIBLE} {_NEWEST_FIRST} $5 OFFSET $6",
    ("varchar", LIST, "varchar", LIST, "bigint", "bigint"),
)
PENDING_OF_USER = Read(
    f"{_WHOLE} o.user_id = $1 AND {_IN_ANY} AND {_VISIBLE} AND {_PENDING} {_NEWEST_FIRST} $6 OFFSET $7",
    ("varchar", LIST, "varchar", LIST, "timestamp", "bigint", "bigint"),
)
MOST_SHOWN = 100
SHOWN_TO_ACTIVATION = Read(
    f"{_SHOWN} o.user_id = $1 AND {_LINKED} AND {_VISIBLE} AND {_PENDING} {_NEWEST_FIRST} {MOST_SHOWN}",
    ("varchar", "bigint", "varchar", LIST, "timestamp"),
)
PAGE_OF_EXTERNAL_ID = Read(
    f"{_WHOLE} o.external_id = $1 AND {_IN_ANY} {_NEWEST_FIRST} $3 OFFSET $4",
    ("varchar", LIST, "bigint", "bigint"),
)


async def find(fetch: Fetch, operation_id: str, scope: Sequence[str] | None = None) -> StoredOperation | None:
    """The operation without a lock; None if unknown or outside the scope."""
    rows = await fetch(FIND, operation_id, scope)
    return stored(rows[0]) if rows else None


async def page_of_user(
    fetch: Fetch,
    user_id: str,
    application_rids: Collection[int],
    page: Page,
    *,
    seen_by: ActivationFilter | None = None,
    pending_at: datetime | None = None,
) -> list[StoredOperation]:
    """Operations of a user in any of the applications, newest first.

    :param pending_at: only those that are pending at this moment
    """
    seen = (None, None) if seen_by is None else (seen_by.activation_id, seen_by.flags)
    found = (user_id, list(application_rids), *seen)
    if pending_at is None:
        rows = await fetch(PAGE_OF_USER, *found, *_limits(page))
    else:
        rows = await fetch(PENDING_OF_USER, *found, pending_at, *_limits(page))
    return [stored(row) for row in rows]


async def shown_to(
    fetch: Fetch, user_id: str, application_rid: int, seen_by: ActivationFilter, now: datetime
) -> list[ShownOperation]:
    """The newest `MOST_SHOWN` pending operations of a user that an activation may see."""
    seen = (seen_by.activation_id, seen_by.flags)
    return [_shown(row) for row in await fetch(SHOWN_TO_ACTIVATION, user_id, application_rid, *seen, now)]


async def page_of_external_id(
    fetch: Fetch, external_id: str, application_rids: Collection[int], page: Page
) -> list[StoredOperation]:
    """Operations with this external id in any of the applications, newest first."""
    rows = await fetch(PAGE_OF_EXTERNAL_ID, external_id, list(application_rids), *_limits(page))
    return [stored(row) for row in rows]


def _limits(page: Page) -> tuple[int, int]:
    return page.size, page.number * page.size


def _json(text: str) -> Any:
    return read_json(text) if text.strip() else None


_STATUS = {each.code: each for each in OperationStatus}
_READERS: Mapping[str, Callable[[Any], Any]] = {
    "parameters": texts_of,
    "additional_data": _json,
    "number_matching": _json,
    "status": _STATUS.__getitem__,
    "timestamp_created": moment,
    "timestamp_expires": moment,
    "timestamp_finalized": moment,
}
_WHOLE_READERS = reading(OPERATION_COLUMNS, _READERS)


def stored(row: Row) -> StoredOperation:
    """The operation in a row of `WHOLE`."""
    *columns, applications = row
    return StoredOperation(OperationRow(*_WHOLE_READERS(columns)), tuple(sorted(stored_texts(applications))))


def _shown(row: Row) -> ShownOperation:
    """The operation in a row of `SHOWN_COLUMNS`, and whether there is a code to scan."""
    # Unpacked: lists are made of them, and a look-up of readers makes each half as dear again.
    id_, kind, data, status, reason, parameters, risks, types, created, expires, flag, number, code = row
    return ShownOperation(
        id_,
        kind,
        data,
        _STATUS[status],
        reason,
        None if parameters is None else texts_of(parameters),
        risks,
        types,
        moment(created),
        moment(expires),
        flag,
        None if number is None else _json(number),
        bool(code),
    )
