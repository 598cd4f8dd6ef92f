"""The statements of operations that go past the entities (CONTRIBUTING.md, hot statements)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from powerauth_core.kernel.base import json_text
from powerauth_core.operations.models import Operation, OperationApplication
from powerauth_core.operations.stored import OPERATION_COLUMNS, OperationRow
from servicekit.additions import Additions, Target

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
}
_COLUMNS = {name: _KINDS.get(name, "varchar") for name in OPERATION_COLUMNS}
_NEW = Target(Operation.__tablename__, _COLUMNS)
_NEW_LINKS = Target(
    OperationApplication.__tablename__, {"application_id": "bigint", "operation_id": "varchar"}
)


def put_new(additions: Additions, operation: OperationRow, application_rids: Iterable[int]) -> None:
    """Add a new operation and its links; refused with all the others if its id is taken."""
    additions.add(_NEW, [_written(operation, name) for name in OPERATION_COLUMNS])
    for rid in application_rids:
        additions.add(_NEW_LINKS, (rid, operation.id))


def _written(operation: OperationRow, name: str) -> Any:
    """The value of a column as the database holds it."""
    value = getattr(operation, name)
    if name == "status":
        return value.code
    return json_text(value) if isinstance(value, dict) else value
