"""The statements of operations that go past the entities (CONTRIBUTING.md, hot statements)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

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
_COLUMNS = {name: _KINDS.get(name, "varchar") for name in OPERATION_COLUMNS}
_NEW = Target(Operation.__tablename__, _COLUMNS)
_NEW_LINKS = Target(
    OperationApplication.__tablename__, {"application_id": "bigint", "operation_id": "varchar"}
)

SELECTED_COLUMNS = len(OPERATION_COLUMNS) + 2
"""Of `selected`: before an operation's own its version, after them its applications."""

_CHANGE = {
    "id": "varchar",
    **{name: _COLUMNS[name] for name in CHANGING_COLUMNS},
    "row_version": "xid",
}


def put_new(additions: Additions, operation: OperationRow, application_rids: Iterable[int]) -> None:
    """Add a new operation and its links; refused with all the others if its id is taken."""
    additions.add(_NEW, [_written(operation, name) for name in OPERATION_COLUMNS])
    for rid in application_rids:
        additions.add(_NEW_LINKS, (rid, operation.id))


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
    return [operation.id, *[_written(operation, name) for name in CHANGING_COLUMNS], version]


def _written(operation: OperationRow, name: str) -> Any:
    """The value of a column as the database holds it."""
    value = getattr(operation, name)
    if name == "status":
        return value.code
    return json_text(value) if isinstance(value, dict) else value
