"""What many tests begin with is made through the API twice a session; later tests find its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Table, insert, select

from powerauth_core.container import Core
from powerauth_core.schema import metadata, pa_schema_history
from powerauth_core.temporary_keys.models import TemporaryKey
from servicekit import clock
from servicekit.outbox import TABLE_NAME as OUTBOX

Made = TypeVar("Made")
Rows = dict[Table, list[dict[str, Any]]]

_TABLES = [
    table for table in metadata.sorted_tables if table is not pa_schema_history and table.name != OUTBOX
]


@dataclass(slots=True)
class _Kept:
    made: Any
    rows: Rows
    moment: datetime


@dataclass(slots=True)
class Snapshots:
    """Rows by what they are, and by the settings that they were made under."""

    _wanted: Counter[str] = field(default_factory=Counter)
    _kept: dict[str, _Kept] = field(default_factory=dict)

    async def made(self, core: Core, name: str, make: Callable[[], Awaitable[Made]]) -> Made:
        """What `make` makes on an empty database; from the third time on only its rows are stored again."""
        settings = core.settings
        encrypted_with = settings.master_encryption_key.get_secret_value()
        key = f"{core.database.dialect} {name} {encrypted_with} {settings!r}"
        self._wanted[key] += 1
        if key in self._kept:
            kept = self._kept[key]
            await _store(core, kept)
            made: Made = kept.made
            return made
        if self._wanted[key] == 1:
            return await make()
        before = await _rows(core)
        result = await make()
        after = await _rows(core)
        rows = {table: [row for row in found if row not in before[table]] for table, found in after.items()}
        self._kept[key] = _Kept(result, rows, clock.now())
        return result


async def _rows(core: Core) -> Rows:
    async with core.database.read() as session:
        return {
            table: [dict(row) for row in (await session.execute(select(table))).mappings()]
            for table in _TABLES
        }


async def _store(core: Core, kept: _Kept) -> None:
    later = clock.now() - kept.moment
    async with core.database.transaction() as session:
        for table, rows in kept.rows.items():
            if table is TemporaryKey.__table__ and rows:
                renewed = [row | {"timestamp_expires": row["timestamp_expires"] + later} for row in rows]
                await session.execute(insert(table), renewed)
            elif rows:
                await session.execute(insert(table), rows)
