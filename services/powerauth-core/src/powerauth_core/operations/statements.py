"""The statements of operations that go past the entities (CONTRIBUTING.md, hot statements)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any

from powerauth_contracts.enums import OperationStatus
from powerauth_core.kernel.base import json_text
from powerauth_core.operations.models import Operation, OperationApplication
from powerauth_core.operations.reads import WHOLE
from powerauth_core.operations.stored import CHANGING_COLUMNS, OPERATION_COLUMNS, OperationRow
from servicekit.additions import Additions, Target, json_part

_KINDS = {
    "data": "text",
    "parameters": "text",
    "additional_data": "text",
    "status": "int",
    "failure_count": "bigint",
    "max_failure_count": "bigint",
    "timestamp_created": "timestamp",
    "timestamp_expires": "timestamp",
    "timestamp_finalized": "timestamp",
    "number_secret_encryption": "int",
}
_ALL, _CHANGING = attrgetter(*OPERATION_COLUMNS), attrgetter(*CHANGING_COLUMNS)
_COLUMNS = {name: _KINDS.get(name, "varchar") for name in OPERATION_COLUMNS}
_NEW = Target(Operation.__tablename__, _COLUMNS)
NEW_LINKS = Target(
    OperationApplication.__tablename__, {"application_id": "bigint", "operation_id": "varchar"}
)

SELECTED_COLUMNS = len(OPERATION_COLUMNS) + 2
"""Of `selected`: before an operation's own its version, after them its applications."""

_CHANGE = {
    "id": "varchar",
    **{name: _COLUMNS[name] for name in CHANGING_COLUMNS},
    "row_version": "xid",
}


_LIMITED = {
    "id": "varchar",
    "user_id": "varchar",
    "rids": "jsonb",
    "most_pending": "bigint",
    "most_lately": "bigint",
    "now": "timestamp",
    "since": "timestamp",
}
_OF_USER = """SELECT 1 FROM pa_operation o WHERE o.user_id = l.user_id AND EXISTS (
        SELECT 1 FROM pa_operation_application k WHERE k.operation_id = o.id
        AND k.application_id IN (SELECT value::bigint FROM jsonb_array_elements_text(l.rids))
        LIMIT 1 OFFSET 0)"""
# The expiry is no plain comparison, nor that EXISTS a plain one, for the reasons given in `reads`.
_PENDING = f"""o.status = {OperationStatus.PENDING.code}
    AND CASE WHEN o.timestamp_expires >= l.now THEN 1 ELSE 0 END = 1"""
ADMITTED = "v->>-1 NOT IN (SELECT id FROM judged WHERE NOT admitted)"
"""What `Additions` judge by that go along with `admitting`."""


def _below(most: str, condition: str) -> str:
    counted = f"SELECT count(*) FROM ({_OF_USER} AND {condition} LIMIT {most}) found"  # noqa: S608 our names
    return f"CASE WHEN {most} IS NULL THEN true ELSE ({counted}) < {most} END"


@lru_cache(maxsize=100)
def admitting(parts: str, returned: str) -> str:
    """The statement that writes operations which limits are for (PostgreSQL): the ids of those over their
    limits, and what `parts` return. It fails as a division by zero, and is undone, if somebody else made an
    operation for one of the users meanwhile. A new row begins anywhere: one that was dropped and came again
    is another one.

    $1: the operations, of different users; $2: how long to wait for the row of a user, in ms.
    """
    return f"""WITH {json_part("limited", _LIMITED, 1)},
patience AS (SELECT set_config('lock_timeout', $2::varchar, true)),
judged AS MATERIALIZED (SELECT l.id, l.user_id, u.version,
    {_below("l.most_pending", _PENDING)} AND
    {_below("l.most_lately", "o.timestamp_created > l.since")} AS admitted
    FROM limited l LEFT JOIN operation_user u ON u.user_id = l.user_id),
taken AS (INSERT INTO operation_user AS u (user_id, version)
    SELECT user_id, coalesce(version, (random() * 1e18)::bigint) + 1 FROM judged, patience
    WHERE admitted ORDER BY user_id
    ON CONFLICT (user_id) DO UPDATE SET version = excluded.version WHERE u.version = excluded.version - 1
    RETURNING u.user_id),
{parts}
SELECT (SELECT json_agg(id)::text FROM judged WHERE NOT admitted), {returned},
    1 / ((SELECT count(*) FROM taken) = (SELECT count(*) FROM judged WHERE admitted))::int"""  # noqa: S608


def put_new(additions: Additions, operation: OperationRow, application_rids: Iterable[int]) -> None:
    """Add a new operation and its links; refused with all the others if its id is taken."""
    additions.add(_NEW, _written(_ALL(operation)))
    for rid in application_rids:
        additions.add(NEW_LINKS, (rid, operation.id))


def selected(record_id: str) -> str:
    """As `verification.planned.Records.selected`."""
    # `xmin` is the transaction that wrote this version of the row: it tells whether it is still the same.
    return f"SELECT o.xmin, {WHOLE} FROM pa_operation o WHERE o.id = {record_id}"  # noqa: S608 our names


@cache
def update(parameter: int, after: str) -> str:
    """As `verification.planned.Records.update`."""
    assigned = ", ".join([f"{name} = v.{name}" for name in CHANGING_COLUMNS])
    return (
        f"{json_part('change', _CHANGE, parameter)}, "  # noqa: S608 our names
        f"changed AS (UPDATE pa_operation o SET {assigned} "
        f"FROM change v, (SELECT count(*) FROM {after}) before "
        "WHERE o.id = v.id AND o.xmin = v.row_version RETURNING o.id)"
    )


def changed_row(operation: OperationRow, version: int) -> Sequence[Any]:
    """A row of the parameter of `update`.

    :param version: of the row that it replaces
    """
    return [operation.id, *_written(_CHANGING(operation)), version]


def _written(values: Iterable[Any]) -> list[Any]:
    """Values of an operation as the database holds them."""
    return [
        json_text(value)
        if isinstance(value, dict)
        else value.code
        if isinstance(value, OperationStatus)
        else value
        for value in values
    ]
