"""Activations past the entities, on PostgreSQL: read by one statement; what is new or changed is written by
another, together with all that is kept of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from operator import attrgetter, itemgetter
from typing import Any, TypeAlias

from sqlalchemy import DateTime, Integer
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.types import TypeDecorator

from powerauth_core.activations.models import Activation
from powerauth_core.activations.reads import judged_row
from powerauth_core.activations.stored import COLUMNS, ActivationRow, FoundActivation, bound_content
from powerauth_core.replay.rules import Once
from servicekit.additions import Additions, json_part, json_rows
from servicekit.reads import Read
from servicekit.row_macs import RowMacs

Row: TypeAlias = tuple[Any, ...]

_TABLE = Activation.__tablename__
_TYPES = {name: Activation.__table__.columns[name].type for name in COLUMNS}
_DECORATED = {name: kind for name, kind in _TYPES.items() if isinstance(kind, TypeDecorator)}
"""Of the columns whose values the database holds in another form."""
_DIALECT = DefaultDialect()
"""Of no database: they hold it alike in each."""


def _kind(name: str) -> str:
    """PostgreSQL's type of a column, without its length: a cast to one with a length cuts what is longer."""
    kind = _TYPES[name]
    plain = kind.impl_instance if isinstance(kind, TypeDecorator) else kind
    if isinstance(plain, Integer):
        return "int"
    return "timestamp" if isinstance(plain, DateTime) else "varchar"


# `xmin` is the transaction that wrote this version of the row.
SELECTED = (
    f"{', '.join([f'a.{name}' for name in COLUMNS])}, p.name AS application_name, a.xmin AS row_version"
)
FOUND = "FROM pa_activation a JOIN pa_application p ON p.id = a.application_id"
FIND = Read(f"SELECT {SELECTED} {FOUND} WHERE a.activation_id = $1", ("varchar",))


def found_activation(row: Sequence[Any], macs: RowMacs) -> FoundActivation | None:
    """The activation in a row of such a read; None if somebody else has written it.

    :raises RowKeyUnknown: nobody here can tell
    """
    *columns, application_id, row_version = row
    found = judged_row(columns, macs)
    return FoundActivation(found, application_id, row_version) if found.sound else None


_ONCE = {"unique_value": "varchar", "type": "int", "timestamp_expires": "timestamp"}
_CHANGEABLE = (
    "activation_name",
    "activation_status",
    "ctr_data",
    "device_public_key_base64",
    "extras",
    "platform",
    "device_info",
    "timestamp_last_change",
    "version",
    "external_id",
    "row_mac",
)
"""What a key exchange or a commit changes."""
_CHANGED = {"activation_id": "varchar", **{name: _kind(name) for name in _CHANGEABLE}, "row_version": "xid"}
_NEW = {name: _kind(name) for name in COLUMNS}

_values: Callable[[ActivationRow], Row] = attrgetter(*COLUMNS)
_changed: Callable[[Row], Row] = itemgetter(*[COLUMNS.index(name) for name in list(_CHANGED)[:-1]])
_CODECS = [(COLUMNS.index(name), kind.process_bind_param) for name, kind in _DECORATED.items()]
_MAC = COLUMNS.index("row_mac")


def new_row(activation: ActivationRow, macs: RowMacs) -> Row:
    """A row of the parameter of new activations."""
    return _row(activation, macs, is_bound=macs.binds)


def changed_row(found: FoundActivation, macs: RowMacs) -> Row:
    """A row of the parameter of changed ones."""
    row = _row(found.row, macs, is_bound=found.row.row_mac is not None)
    return (*_changed(row), found.row_version)


def _row(activation: ActivationRow, macs: RowMacs, *, is_bound: bool) -> Row:
    """The values as the database holds them, with a MAC that fits."""
    values = list(_values(activation))
    for number, encode in _CODECS:
        values[number] = encode(values[number], _DIALECT)
    values[_MAC] = macs.mac(_TABLE, bound_content(values)) if is_bound else None
    return tuple(values)


_ALL = ", ".join(COLUMNS)
_SET = ", ".join([f"{name} = v.{name}" for name in _CHANGEABLE])
_REMEMBERED = ", ".join(_ONCE)
# All codes have one shape, ABCDE-FGHIJ-KLMNO-PQRST over 2-7 and A-Z; their first halves tell them apart. The
# first one in order is asked for, since the planner would read all activations to say that there is none.
_WRITTEN = f"""WITH {json_part("fresh", _NEW, 1)},
{json_part("changed", _CHANGED, 2)},
{json_part("once", _ONCE, 3)},
patience AS (SELECT set_config('lock_timeout', $4::varchar, true)),
inserted AS (INSERT INTO pa_activation ({_ALL})
    SELECT {_ALL} FROM fresh n WHERE (SELECT a.activation_id FROM pa_activation a
        WHERE a.application_id = n.application_id AND a.activation_code BETWEEN
            left(n.activation_code, 11) || '-22222-22222' AND left(n.activation_code, 11) || '-ZZZZZ-ZZZZZ'
        ORDER BY a.activation_code LIMIT 1) IS NULL
    RETURNING activation_id),
moved AS (UPDATE pa_activation a SET {_SET} FROM changed v, patience
    WHERE a.activation_id = v.activation_id AND a.xmin = v.row_version RETURNING a.activation_id),
remembered AS (INSERT INTO pa_unique_value ({_REMEMBERED}) SELECT {_REMEMBERED} FROM once
    ORDER BY unique_value ON CONFLICT DO NOTHING RETURNING unique_value)"""  # noqa: S608 our names
_UNDO_UNLESS_ALL = """SELECT 1 / ((SELECT count(*) FROM inserted) = (SELECT count(*) FROM fresh)
    AND (SELECT count(*) FROM moved) = (SELECT count(*) FROM changed)
    AND (SELECT count(*) FROM remembered) = (SELECT count(*) FROM once)
    AND EXISTS (SELECT FROM patience))::int"""
"""Fails as a division by zero, which undoes the statement. Foreign keys are checked with patience too."""
_FIRST_FREE = 5


@lru_cache(maxsize=1_000)
def _write(parts: str, returned: str) -> str:
    return f"{_WRITTEN}, {parts} {_UNDO_UNLESS_ALL}, {returned}"


def write(
    new: Iterable[Row], changed: Iterable[Row], once: Iterable[Once], additions: Additions, patience_ms: int
) -> tuple[str, tuple[str, ...]]:
    """The statement that writes all of it, or fails, and its arguments. The second column of its one row is
    what the additions are to take.

    :param patience_ms: how long to wait for the row of an activation
    """
    parts, returned, added = additions.parts(_FIRST_FREE)
    rows = (json_rows(new), json_rows(changed), json_rows([each.row for each in once]))
    return _write(parts, returned), (*rows, str(patience_ms), *added)
