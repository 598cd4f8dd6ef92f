"""Rows that only this service can have written: each has a MAC under a key derived from the master key (D32).

Somebody who can write to the database but does not have the master key can change such a row, but not so that
it is used. The MAC is computed where the mapper writes a row and checked where it reads one, so no caller has
to think of it. Statements that go past the mapper (the hot paths) ask `RowMacs` themselves; a bulk statement
through the mapper is refused.

A row whose MAC does not fit is *unsound*. It keeps that MAC whatever is done to it, so nobody gives it a
right one by accident; what an unsound row means is for its model to say.

A row whose MAC is of a master key that this process was not given is *unjudged*: it counts as unsound and is
never written. Who asks for that row alone is told (`judged`); among others it is passed over, so that one row
stops nobody else.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterable, Sequence
from enum import Enum, StrEnum
from typing import Any, ClassVar, TypeVar

from pydantic_core import to_json
from sqlalchemy import Connection, String, event
from sqlalchemy.orm import Mapped, Mapper, ORMExecuteState, Session, mapped_column, object_session
from sqlalchemy.sql.elements import ColumnElement

from servicekit.errors import Unavailable
from servicekit.master_keys import MasterKeys, derived_key, without_id

SESSION_KEY = "row_macs"
"""Under which a session's ``info`` holds the `RowMacs`; without, rows are neither checked nor given a MAC."""

MAC_TEXT = 64
_CAPACITY = 20_000
_LABEL = b"powerauth-core row mac 1"  # as the first rows were bound; a MAC also names its table


class RowBinding(StrEnum):
    """How far the rows of a database are bound by their MACs (D32)."""

    OFF = "off"
    """Rows are written without a MAC, as before: a release that knows none may run beside."""
    FILLING = "filling"
    """New rows have one, those of before are being given one."""
    COMPLETE = "complete"
    """A row without one is none of ours."""


class RowKeyUnknown(Unavailable):
    """A row is bound with a master key that this process was not given: another release or replica writes."""

    of_one_record = True

    def __init__(self, table: str) -> None:
        super().__init__(f"a row of {table} is bound with a master key that is not configured")


class RowMacs:
    """Computes and checks the MACs of rows, for one database.

    Without a master key rows have no MACs, and those that are there are left alone.

    :ivar binding: how far the rows are bound, as this process last heard
    """

    def __init__(
        self,
        keys: MasterKeys,
        binding: RowBinding = RowBinding.OFF,
        *,
        required: bool | None = None,
        ask: Callable[[Connection], RowBinding] = lambda _: RowBinding.OFF,
        report: Callable[[str, str], None] = lambda _table, _row: None,
    ) -> None:
        """
        :param keys: rows are bound with the current one, and read with all
        :param required: refuse rows without a MAC; None: once all are bound
        :param ask: reads in a transaction how far the rows are bound, and keeps it so until its end
        :param report: is told table and row of every unsound row that was read
        """
        self._key = None if keys.current is None else derived_key(keys.current, _LABEL)
        self._prefix = keys.prefix
        self._key_of = keys.derived(_LABEL)
        self.binding = binding
        self._fitting: dict[tuple[str, str], Sequence[Any]] = {}
        self._ask = ask
        self._report = report
        self.required = self._key is not None and (
            binding is RowBinding.COMPLETE if required is None else required
        )

    def mac(self, table: str, content: Sequence[Any]) -> str:
        """Base64 of HMAC-SHA-256 over the compact JSON array of the table's name and the bound values, after
        the id of a later key than the database's first."""
        assert self._key is not None
        return self._prefix + _mac(self._key, table, content)

    def fits(self, table: str, content: Sequence[Any], mac: str | None) -> bool:
        """Whether a row is as this service left it; a row without a MAC is, unless it has to have one.

        :raises RowKeyUnknown: nobody here can tell
        """
        if self._key is None:
            return True
        if mac is None:
            return not self.required
        if self._fitting.get((table, mac)) == content:
            return True
        key = self._key_of(mac)
        if key is None:
            raise RowKeyUnknown(table)
        fits = hmac.compare_digest(_mac(key, table, content).encode(), without_id(mac).encode())
        if fits:
            self._remember(table, content, mac)
        return fits

    def _remember(self, table: str, content: Sequence[Any], mac: str) -> None:
        # A look-up costs a tenth of the computation, and an activation is read again and again.
        self._fitting[table, mac] = content
        if len(self._fitting) > _CAPACITY:
            del self._fitting[next(iter(self._fitting))]

    def sound(self, table: str, row_id: str, content: Sequence[Any], mac: str | None) -> bool:
        """`fits`, and an alarm if not, or if nobody here can tell."""
        try:
            fits = self.fits(table, content, mac)
        except RowKeyUnknown:
            fits = False
        if not fits:
            self._report(table, row_id)
        return fits

    def judges(self, mac: str | None) -> bool:
        """Whether a row with this MAC can be judged here: the key that it names was given."""
        return self._key is None or mac is None or self._key_of(mac) is not None

    @property
    def binds(self) -> bool:
        """Whether a row that is inserted now gets a MAC, as far as this process has heard."""
        return self._key is not None and self.binding is not RowBinding.OFF

    @property
    def knows_binding(self) -> bool:
        """Whether `binds` is certain without asking the database: binding begins once and never ends."""
        return self._key is None or self.binding is not RowBinding.OFF

    def binds_new_rows(self, connection: Connection) -> bool:
        """Whether a row that is inserted now gets a MAC."""
        if self._key is None:
            return False
        if self.binding is RowBinding.OFF:
            self.binding = self._ask(connection)
        return self.binding is not RowBinding.OFF


class BoundRow:
    """Mixin of a table whose rows carry a MAC.

    :cvar BOUND_COLUMNS: what the MAC covers, in its order; the first one is the row's name in alarms
    :cvar LATER_COLUMNS: covered too, each only where it is set: what a later release adds leaves the MACs of
        rows without it as they are
    :ivar sound: the row is as this service left it; False only for one that was read otherwise
    :ivar unjudged: nobody here can tell whether it is, so it counts as unsound
    """

    BOUND_COLUMNS: ClassVar[tuple[str, ...]]
    LATER_COLUMNS: ClassVar[tuple[str, ...]] = ()

    row_mac: Mapped[str | None] = mapped_column(String(MAC_TEXT))
    sound = True
    unjudged = False

    def bound_content(self) -> tuple[Any, ...]:
        """The bound values as the database holds them."""
        later = [(name, self._stored(name)) for name in self.LATER_COLUMNS]
        return (
            *[self._stored(name) for name in self.BOUND_COLUMNS],
            *[pair for pair in later if pair[1] is not None],
        )

    def _stored(self, name: str) -> Any:
        value = getattr(self, name)
        if isinstance(value, Enum):
            return getattr(value, "code", value.value)
        # SQL's own NULL stands where a column's default must not be taken.
        return None if isinstance(value, ColumnElement) else value

    def was_read_unsound(self) -> None:
        """What to make of an unsound row when it has been read."""

    def is_written_unsound(self) -> None:
        """Asked before an unsound row is written; raises to refuse."""


def table_of(row: BoundRow | type[BoundRow]) -> str:
    """Name of the row's table."""
    name: str = row.__tablename__  # type: ignore[union-attr]
    return name


RowT = TypeVar("RowT", bound=BoundRow)


def judged(row: RowT | None) -> RowT | None:
    """A row that was asked for alone.

    :raises RowKeyUnknown: nobody here can tell whether it is as this service left it
    """
    if row is not None and row.unjudged:
        raise RowKeyUnknown(table_of(row))
    return row


def _mac(key: bytes, table: str, content: Sequence[Any]) -> str:
    return base64.b64encode(hmac.digest(key, to_json((table, *content)), "sha256")).decode("ascii")


def give_mac(macs: RowMacs, row: BoundRow) -> None:
    """Bind a row as it is now."""
    row.row_mac = macs.mac(table_of(row), row.bound_content())


def _macs_of(session: Session | None) -> RowMacs | None:
    return None if session is None else session.info.get(SESSION_KEY)


def _judge(row: BoundRow, session: Session | None) -> None:
    macs = _macs_of(session)
    if macs is None:
        return
    content = row.bound_content()
    row.sound = macs.sound(table_of(row), str(content[0]), content, row.row_mac)
    row.unjudged = not row.sound and not macs.judges(row.row_mac)
    if not row.sound:
        row.was_read_unsound()


@event.listens_for(BoundRow, "load", propagate=True)
def _loaded(row: BoundRow, context: Any) -> None:
    _judge(row, context.session)


@event.listens_for(BoundRow, "refresh", propagate=True)
def _refreshed(row: BoundRow, context: Any, names: Iterable[str] | None) -> None:
    if names is None or "row_mac" in names:
        _judge(row, context.session)


@event.listens_for(BoundRow, "before_insert", propagate=True)
def _inserting(mapper: Mapper[Any], connection: Connection, row: BoundRow) -> None:
    macs = _macs_of(object_session(row))
    if macs is None or not macs.binds_new_rows(connection):
        return
    for name in row.BOUND_COLUMNS:
        default = mapper.columns[name].default
        if getattr(row, name) is None and default is not None and default.is_scalar:
            setattr(row, name, default.arg)  # type: ignore[attr-defined]
    give_mac(macs, row)


@event.listens_for(BoundRow, "before_update", propagate=True)
def _updating(_mapper: Mapper[Any], _connection: Connection, row: BoundRow) -> None:
    macs = _macs_of(object_session(row))
    if macs is None:
        return
    judged(row)
    if not row.sound:
        row.is_written_unsound()
    elif row.row_mac is not None:
        give_mac(macs, row)


@event.listens_for(Session, "do_orm_execute")
def _executing(state: ORMExecuteState) -> None:
    """Statements that write bound columns without the mapper's events would leave wrong MACs behind."""
    mapper = state.bind_mapper
    if mapper is None or not issubclass(mapper.class_, BoundRow) or state.is_select or state.is_delete:
        return
    columns = getattr(state.statement, "_values", None) or ()
    written = {str(getattr(column, "key", column)) for column in columns}
    bound = {*mapper.class_.BOUND_COLUMNS, *mapper.class_.LATER_COLUMNS, "row_mac"}
    if not written or written & bound:
        raise TypeError(f"rows of {table_of(mapper.class_)} are written one by one: they carry a MAC")
