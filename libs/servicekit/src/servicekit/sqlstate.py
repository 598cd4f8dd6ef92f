"""Whose fault an error of PostgreSQL is, for every SQLSTATE (D27): a verdict by class, and exceptions.

Codes and classes are those of PostgreSQL's manual, appendix "PostgreSQL Error Codes".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """The four kinds of D27."""

    CALLER = "caller"
    """A value or a wish that the database does not take: never answered with 500."""
    CONFLICT = "conflict"
    """Others were in the way."""
    CONNECTION = "connection"
    """This connection, or the server at its end, cannot do it; another one may."""
    OURS = "ours"
    """A mistake in a statement, a schema or the order of calls: 500, and an alarm."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows from an error.

    :ivar repeats: whether a second try at once may go well
    :ivar discards: whether the connection is of no use any more, and those beside it probably neither
    :ivar certain: whether the statement is undone for sure; else it may have been done
    :ivar refuses: whether what stays after a second try is the caller's to correct
    """

    fault: Fault
    repeats: bool = False
    discards: bool = False
    certain: bool = True
    refuses: bool = False


CALLER = Verdict(Fault.CALLER, refuses=True)
RACED = Verdict(Fault.CONFLICT, repeats=True)
TAKEN = Verdict(Fault.CONFLICT, repeats=True, refuses=True)
"""A key that somebody else has taken, a row that went away: seen by a second try, which says so properly."""
WAITED = Verdict(Fault.CONFLICT, certain=False)
"""It has waited as long as a caller may."""
BLOCKED = Verdict(Fault.CONFLICT)
"""The same for a lock, before anything was done."""
WRONG_SERVER = Verdict(Fault.CONNECTION, repeats=True, discards=True)
LOST = Verdict(Fault.CONNECTION, repeats=True, discards=True, certain=False)
UNABLE = Verdict(Fault.CONNECTION, certain=False)
"""No connection to be had, or no resources: another try at once would only add to it."""
OURS = Verdict(Fault.OURS)
BROKEN = Verdict(Fault.OURS, certain=False)

CLASSES: dict[str, Verdict] = {
    "08": LOST,  # connection exception; also whatever PgBouncer says itself
    "22": CALLER,  # data exception
    "23": CALLER,  # integrity constraint violation
    "26": WRONG_SERVER,  # invalid SQL statement name: prepared on another connection
    "28": UNABLE,  # invalid authorization specification
    "3D": UNABLE,  # invalid catalog name: no such database
    "40": RACED,  # transaction rollback
    "44": CALLER,  # with check option violation
    "53": UNABLE,  # insufficient resources
    "54": CALLER,  # program limit exceeded: a value too long for an index
    "57": WAITED,  # operator intervention
    "58": UNABLE,  # system error
    "72": RACED,  # snapshot failure
    "XX": BROKEN,  # internal error
}
"""By the first two characters; every other class is :data:`OURS`."""

EXCEPTIONS: dict[str, Verdict] = {
    "22012": OURS,  # division by zero: no caller's value is divided by
    "23001": TAKEN,  # restrict violation
    "23503": TAKEN,  # foreign key violation
    "23505": TAKEN,  # unique violation
    "23P01": TAKEN,  # exclusion violation
    "25006": WRONG_SERVER,  # read-only SQL transaction: a standby, or a primary that was demoted
    "25P03": LOST,  # idle in transaction session time-out
    "25P04": LOST,  # transaction time-out
    "40003": UNABLE,  # statement completion unknown
    "42P05": WRONG_SERVER,  # duplicate prepared statement: a pooler in between
    "55006": RACED,  # object in use
    "55P03": BLOCKED,  # lock not available
    "57P01": LOST,  # admin shutdown
    "57P02": LOST,  # crash shutdown
    "57P03": UNABLE,  # cannot connect now
    "57P04": LOST,  # database dropped
    "57P05": LOST,  # idle session time-out
}


def verdict_of(sqlstate: str) -> Verdict:
    """The verdict for a code of five characters."""
    return EXCEPTIONS.get(sqlstate) or CLASSES.get(sqlstate[:2], OURS)


SQLITE: dict[int, Verdict] = {
    5: WAITED,  # BUSY
    6: WAITED,  # LOCKED
    8: UNABLE,  # READONLY
    9: WAITED,  # INTERRUPT
    10: UNABLE,  # IOERR
    13: UNABLE,  # FULL
    14: UNABLE,  # CANTOPEN
    15: RACED,  # PROTOCOL: lost the race for a lock
    17: WRONG_SERVER,  # SCHEMA
    18: CALLER,  # TOOBIG
    19: CALLER,  # CONSTRAINT
    20: CALLER,  # MISMATCH
}
"""SQLite's primary result codes; every other is :data:`OURS`."""

SQLITE_EXTENDED: dict[int, Verdict] = {
    787: TAKEN,  # CONSTRAINT_FOREIGNKEY
    1555: TAKEN,  # CONSTRAINT_PRIMARYKEY
    2067: TAKEN,  # CONSTRAINT_UNIQUE
}


def sqlite_verdict_of(code: int) -> Verdict:
    """The verdict for an extended result code."""
    return SQLITE_EXTENDED.get(code) or SQLITE.get(code & 0xFF, OURS)
