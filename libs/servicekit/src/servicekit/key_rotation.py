"""Making what a database holds of other master keys anew with the current one, while services use it (D34).

A table is gone through by its key, a batch of locked rows in a transaction. Only rows with a value of another
key are touched, so a run that was stopped is repeated and goes on where it was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, LargeBinary, String, and_, case, func, literal, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from servicekit.database import Database
from servicekit.master_keys import KEY_ID_LENGTH, UNNAMED, MasterKeys
from servicekit.row_macs import BoundRow, RowMacs, give_mac

BATCH = 100
_WINDOW = 20_000


@dataclass(frozen=True, slots=True)
class KeyedColumn:
    """A column whose values are of a master key.

    :ivar value: what is encrypted, or a MAC
    :ivar held: of which rows it is
    """

    value: InstrumentedAttribute[Any]
    held: ColumnElement[bool]

    @property
    def model(self) -> Any:
        """Whose column it is."""
        return self.value.class_

    @property
    def name(self) -> str:
        """``table.column``."""
        return f"{self.model.__tablename__}.{self.value.key}"

    @property
    def key_id(self) -> ColumnElement[Any]:
        """Id of the key of a value, in SQL; empty if it does not say."""
        binary = isinstance(self.value.type, LargeBinary)
        text: Any = LargeBinary() if binary else String()
        mark, unnamed = (b":", b"") if binary else (":", UNNAMED)
        named = func.substr(self.value, KEY_ID_LENGTH + 1, 1, type_=text) == mark
        return case(
            (named, func.substr(self.value, 1, KEY_ID_LENGTH, type_=text)), else_=literal(unnamed, text)
        )

    def is_of_another(self, keys: MasterKeys) -> ColumnElement[bool]:
        """Whether a row holds a value of another key than the current one, in SQL."""
        current: str | bytes = keys.prefix[:KEY_ID_LENGTH]
        if isinstance(self.value.type, LargeBinary):
            current = str(current).encode()
        return and_(self.held, self.key_id != current)


def mac_column(table: type[BoundRow]) -> KeyedColumn:
    """The MACs of a table."""
    return KeyedColumn(table.row_mac, table.row_mac.is_not(None))


@dataclass(slots=True)
class Rotated:
    """What was done with one table.

    :ivar rows: how many were made anew
    :ivar changed: names of rows that others have written; they are left as they are
    :ivar unjudged: names of rows that are bound with a key that was not given, left too
    :ivar unreadable: columns with values that their key does not open, left too, and how many
    :ivar given_up: column and row of those of them that were emptied, since that was wished for
    """

    rows: int = 0
    changed: list[str] = field(default_factory=list)
    unjudged: list[str] = field(default_factory=list)
    unreadable: Counter[str] = field(default_factory=Counter)
    given_up: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Sacrifice:
    """How many of the secrets that their key does not open are still to be emptied.

    A wrong key does not open any: who has counted them says how many he means.
    """

    left: int


Renew: TypeAlias = Callable[[AsyncSession, Sequence[Any], Rotated], Awaitable[None]]
"""Makes the values of locked rows anew."""


async def rotate(
    database: Database, columns: Sequence[KeyedColumn], keys: MasterKeys, renew: Renew, batch: int = BATCH
) -> Rotated:
    """Make every row of one table anew that holds a value of another key.

    :param columns: all of the table
    :param batch: rows in a transaction
    """
    done = Rotated()
    model, key = columns[0].model, primary_key(columns[0].model)
    others = or_(*[column.is_of_another(keys) for column in columns])
    # Rows that refer to these (audit, tokens) can be inserted meanwhile.
    locking = select(model).where(others).order_by(key).limit(batch).with_for_update(key_share=True)
    async for start, until in _windows(database, key):
        after = start
        while True:
            async with database.transaction() as session:
                rows = (await session.scalars(locking.where(_within(key, after, until)))).all()
                await renew(session, rows, done)
            if not rows:
                break
            after = getattr(rows[-1], key.key)
    return done


def is_sound(row: Any, done: Rotated) -> bool:
    """Whether a row may be made anew; what others have written never is, nor what nobody here can judge."""
    if not isinstance(row, BoundRow) or row.sound:
        return True
    (done.unjudged if row.unjudged else done.changed).append(str(row.bound_content()[0]))
    return False


def bind_again(macs: RowMacs, row: Any) -> None:
    """Give a sound row its MAC anew, if it has one."""
    if isinstance(row, BoundRow) and row.row_mac is not None:
        give_mac(macs, row)


async def count(database: Database, columns: Iterable[KeyedColumn]) -> dict[str, Counter[str]]:
    """How many values of each key the columns hold; by column and id."""
    found: dict[str, Counter[str]] = {}
    for column in columns:
        counter = found[column.name] = Counter()
        key = primary_key(column.model)
        async for after, until in _windows(database, key):
            window = and_(_within(key, after, until), column.held)
            values = select(column.key_id.label("name")).where(window).subquery()
            statement = select(values.c.name, func.count()).group_by(values.c.name)
            async with database.read() as session:
                for name, number in (await session.execute(statement)).all():
                    counter[name.decode() if isinstance(name, bytes) else name] += number
    return found


def primary_key(model: Any) -> Any:
    """The column that names the rows of a table."""
    return getattr(model, model.__mapper__.primary_key[0].key)


def _within(key: Any, after: Any, until: Any) -> ColumnElement[bool]:
    return and_(key <= until, true() if after is None else key > after)


async def _windows(database: Database, key: Any) -> AsyncIterator[tuple[Any, Any]]:
    """Bounds that split a table by its key into parts that one statement can look at in time."""
    after: Any = None
    while True:
        page = select(key.label("key")).order_by(key).limit(_WINDOW)
        if after is not None:
            page = page.where(key > after)
        async with database.read() as session:
            until = await session.scalar(select(func.max(page.subquery().c.key)))
        if until is None:
            return
        yield after, until
        after = until
