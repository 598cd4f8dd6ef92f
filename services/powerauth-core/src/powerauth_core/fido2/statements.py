"""Sign-ins past the entities, on PostgreSQL: read by one statement, written by another together with all that
is kept of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from powerauth_core.activations.stored import COLUMNS
from powerauth_core.kernel.optimistic import PATIENCE_MS
from powerauth_core.operations import statements as operations
from powerauth_core.passkey_records.reads import IS_NAMED, WHOLE
from servicekit.additions import Additions, json_part, json_rows
from servicekit.reads import Read

_OPERATION = ", ".join([f"operation_{number}" for number in range(operations.SELECTED_COLUMNS)])
FIND = Read(
    f"SELECT {WHOLE}, a.xmin, r.*"  # noqa: S608 our names
    " FROM pa_activation a JOIN pa_application p ON p.id = a.application_id"
    f" LEFT JOIN LATERAL ({operations.selected('$3')}) r ({_OPERATION}) ON true"
    f" WHERE {IS_NAMED}",
    ("varchar", "jsonb", "varchar"),
)
"""A passkey by its credential id ($1) in one of the applications ($2), and the operation $3 beside it."""
PASSKEY_COLUMNS = 1 + len(COLUMNS)
"""Of `FIND`: then the version of its row, then `operations.selected`."""

_CHANGED = {
    "activation_id": "varchar",
    "counter": "int",
    "failed_attempts": "int",
    "extras": "varchar",
    "timestamp_last_used": "timestamp",
    "row_version": "xid",
}
_FIRST_FREE = 4


@lru_cache(maxsize=1_000)
def _write(parts: str, returned: str) -> str:
    further = f", {parts}" if parts else ""
    return f"""WITH {json_part("passkey", _CHANGED, 1)},
patience AS (SELECT set_config('lock_timeout', $2::varchar, true)),
moved AS (UPDATE pa_activation a
    SET counter = v.counter, failed_attempts = v.failed_attempts, extras = v.extras,
        timestamp_last_used = v.timestamp_last_used
    FROM passkey v, patience WHERE a.activation_id = v.activation_id AND a.xmin = v.row_version
    RETURNING a.activation_id),
{operations.update(3, "moved")}{further}
SELECT 1 / ((SELECT count(*) FROM moved) = (SELECT count(*) FROM passkey)
    AND (SELECT count(*) FROM changed) = (SELECT count(*) FROM change))::int, {returned}"""  # noqa: S608


def write(
    passkeys: Sequence[Sequence[Any]], changed: Sequence[Sequence[Any]], additions: Additions
) -> tuple[str, tuple[Any, ...]]:
    """The statement that writes all of it, or fails, and its arguments. The second column of its one row is
    what the additions are to take.

    :param passkeys: rows of `passkey_row`
    :param changed: of `operations.changed_row`
    """
    parts, returned, added = additions.parts(_FIRST_FREE)
    rows = (json_rows(passkeys), str(PATIENCE_MS), json_rows(changed))
    return _write(parts, returned), (*rows, *added)
