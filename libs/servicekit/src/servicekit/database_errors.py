"""Errors of the database, judged (D27) and put into what a caller may handle."""

from __future__ import annotations

from socket import gaierror

from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from servicekit import metrics, units
from servicekit.errors import DataRefused, Unavailable
from servicekit.sqlstate import (
    LOST,
    OURS,
    UNABLE,
    WAITED,
    WRONG_SERVER,
    Fault,
    Verdict,
    sqlite_verdict_of,
    verdict_of,
)

_CONNECTION_LOST_BEFORE = "8s2b"
"""SQLAlchemy's code for going on in a transaction whose connection was lost; it has others for mistakes."""

_STALE_PLAN = "InvalidCachedStatementError"
"""The driver's name for the one 0A000 that is not ours: the types of a prepared statement have changed."""

_PROTOCOL_VIOLATION = "08P01"

_faults = metrics.counter(
    "database_faults",
    "Errors of the database by whose fault they are (D27)",
    {"fault": tuple(Fault), "code": metrics.SQLSTATE},
)


class DatabaseUnavailable(Unavailable):
    """No connection, a full pool, a lock or statement that took too long, a server that cannot do it now.

    :ivar timed_out: a statement took too long; another one may not
    """

    timed_out = False


def judge(error: BaseException) -> Verdict | None:
    """The verdict on an error, ``None`` when it is none of the database."""
    if isinstance(error, PoolTimeout | ConnectionError | TimeoutError):
        return UNABLE
    if isinstance(error, PendingRollbackError):
        return LOST if error.code == _CONNECTION_LOST_BEFORE else OURS
    if isinstance(error, DBAPIError):
        return _judge_wrapped(error)
    return _judge_driver(error) if type(error).__module__.startswith("asyncpg.") else None


def _judge_wrapped(error: DBAPIError) -> Verdict:
    if error.connection_invalidated:
        return LOST
    cause = error.orig
    number = getattr(cause, "sqlite_errorcode", None)
    if number is not None:
        return sqlite_verdict_of(number)
    # SQLAlchemy's own form of some errors has lost the code; it is raised from the driver's.
    driver_error = cause if sqlstate_of(cause) else getattr(cause, "__cause__", None)
    return OURS if driver_error is None else _judge_driver(driver_error)


def _judge_driver(error: BaseException) -> Verdict:
    if _STALE_PLAN in (type(error).__name__, type(error.__cause__).__name__):
        return WRONG_SERVER
    sqlstate = sqlstate_of(error)
    # Without a code it is the driver's own complaint about its connection.
    return LOST if sqlstate is None else verdict_of(sqlstate)


def sqlstate_of(error: object) -> str | None:
    """What the server says of an error of the driver, ``None`` for any other."""
    found = getattr(error, "sqlstate", None)
    return found if isinstance(found, str) else None


def code_of(error: BaseException) -> str:
    """SQLSTATE or SQLite's result code, for logs and metrics; the error's type when there is none."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    for each in (cause, getattr(cause, "__cause__", None)):
        found = sqlstate_of(each) or getattr(each, "sqlite_errorcode", None)
        if found is not None:
            return str(found)
    return type(error).__name__


def translate_error(error: BaseException, *, undone: bool = False) -> Exception | None:
    """The error a caller may handle, or ``None`` when ``error`` is nothing but a fault of ours.

    :param undone: whether nothing of what was tried can have been stored
    """
    verdict = judge(error)
    if verdict is None:
        return None
    code = code_of(error)
    _faults.labels(verdict.fault.value, code).inc()
    if code == _PROTOCOL_VIOLATION:
        # A pooler's own words, which hold no data: what it cannot do is for an operator to read.
        code = f"{code} {error.orig if isinstance(error, DBAPIError) else error}"
    if verdict.fault is OURS.fault:
        return None
    code = f"{code}, {_MEANINGS[code]}" if code in _MEANINGS else code
    repeatable = verdict.repeats and (undone or verdict.certain)
    if repeatable:
        units.undone()
    if verdict.refuses:
        return DataRefused()
    if isinstance(error, PoolTimeout):
        return DatabaseUnavailable("no free database connection")
    translated = DatabaseUnavailable(_REASONS.get(verdict, "database refused for now: {}").format(code))
    translated.repeatable = repeatable
    translated.timed_out = verdict is WAITED
    return translated


_MEANINGS = {
    "28P01": "the server refuses the password",
    "28000": "the server refuses the user",
    "3D000": "there is no such database",
    "53300": "the server has no connections left",
    "57P03": "the server is starting",
}
"""What an operator can do something about, in words."""


def connection_failed(error: OSError) -> DatabaseUnavailable:
    """No connection came about; what the network says of it, without the address."""
    reason = "the host is not known" if isinstance(error, gaierror) else type(error).__name__
    return DatabaseUnavailable(f"database connection failed: {reason}")


_REASONS = {
    LOST: "database connection lost: {}",
    WRONG_SERVER: "this connection to the database cannot do it: {}",
    UNABLE: "no usable database connection: {}",
}
