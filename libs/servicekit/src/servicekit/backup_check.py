"""Whether a restored database opens with the keys that are given (docs/operations.md): only reads."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from servicekit.commands import Outcome
from servicekit.database import Database
from servicekit.key_rotation import primary_key
from servicekit.row_macs import SESSION_KEY, BoundRow, RowKeyUnknown, RowMacs, table_of

SAMPLE = 1_000
"""Rows of a table that are opened unless all are."""
_BATCH = 500
_NAMED = 3


@dataclass(slots=True)
class Checked:
    """What was found of one kind of value.

    :ivar opened: how many are as they were written
    :ivar failed: names of those that are not, or why
    """

    opened: int = 0
    failed: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        """How it stands in the table."""
        if not self.failed:
            return "ok"
        more = len(self.failed) - _NAMED
        return "; ".join(self.failed[:_NAMED]) + (f"; {more} more" if more > 0 else "")


@dataclass(slots=True)
class Report:
    """What was found, by kind, in the order in which it was looked at."""

    kinds: dict[str, Checked] = field(default_factory=dict)

    def begin(self, kind: str) -> Checked:
        """A kind of which there may be nothing."""
        return self.kinds.setdefault(kind, Checked())

    def tell(self, kind: str, name: object, *, ok: bool) -> None:
        """Record one value, or one fact."""
        checked = self.begin(kind)
        if ok:
            checked.opened += 1
        else:
            checked.failed.append(str(name))

    def outcome(self) -> Outcome:
        """The table; failed if anything is."""
        width = max(map(len, self.kinds))
        lines = [f"{'what':{width}}  opened  failed"]
        lines += [
            f"{kind:{width}}  {one.opened:6}  {len(one.failed):6}  {one.words}"
            for kind, one in self.kinds.items()
        ]
        return Outcome(not any(one.failed for one in self.kinds.values()), "\n".join(lines))


Open: TypeAlias = Callable[[AsyncSession, Sequence[Any], Report], Awaitable[None]]
"""Opens the secrets of rows."""


async def check_tables(
    database: Database, tables: Iterable[Any], macs: RowMacs, open_rows: Open, report: Report, *, whole: bool
) -> None:
    """Open secrets and check MACs of a sample of the rows, or of all.

    :param whole: all
    """
    for table in tables:
        if issubclass(table, BoundRow):
            report.begin(f"{table_of(table)}.row_mac")
        async with aclosing(_batches(database, table, whole=whole)) as batches:
            async for session, rows in batches:
                await open_rows(session, rows, report)
                for row in rows:
                    if isinstance(row, BoundRow):
                        _check_mac(macs, row, report)


def _check_mac(macs: RowMacs, row: BoundRow, report: Report) -> None:
    content = row.bound_content()
    try:
        fits = macs.fits(table_of(row), content, row.row_mac)
    except RowKeyUnknown:
        fits = False
    report.tell(f"{table_of(row)}.row_mac", content[0], ok=fits)


async def _batches(
    database: Database, model: Any, *, whole: bool
) -> AsyncGenerator[tuple[AsyncSession, Sequence[Any]]]:
    key = primary_key(model)
    after: Any = None
    seen = 0
    while whole or seen < SAMPLE:
        async with database.read() as session:
            if database.dialect == "postgresql":
                await session.execute(text("SET TRANSACTION READ ONLY"))
            # Rows are judged here, and nobody is alarmed.
            session.sync_session.info.pop(SESSION_KEY, None)
            page = select(model).order_by(key).limit(_BATCH)
            if after is not None:
                page = page.where(key > after)
            rows = (await session.scalars(page)).all()
            if not rows:
                return
            yield session, rows
            after = getattr(rows[-1], key.key)
            seen += len(rows)
