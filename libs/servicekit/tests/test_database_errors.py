"""Whose fault an error of the database is (D27): all of SQLSTATE, and the forms in which errors arrive."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from servicekit import metrics
from servicekit.database import DatabaseUnavailable, translate_error
from servicekit.database_errors import judge
from servicekit.errors import DataRefused
from servicekit.sqlstate import CLASSES, EXCEPTIONS, OURS, SQLITE, Fault, sqlite_verdict_of, verdict_of

DRIVER_ERRORS: dict[str, Any] = {
    error.sqlstate: error  # type: ignore[attr-defined]
    for error in vars(asyncpg.exceptions).values()
    if isinstance(error, type)
    and issubclass(error, asyncpg.PostgresError)
    and len(getattr(error, "sqlstate", None) or "") == 5
}
"""What the driver knows of PostgreSQL's list, by code."""


@pytest.mark.parametrize(
    ("sqlstate", "fault"),
    [
        ("22001", Fault.CALLER),  # string too long
        ("22P05", Fault.CALLER),  # character without an equivalent
        ("23502", Fault.CALLER),  # not null
        ("23514", Fault.CALLER),  # check
        ("54000", Fault.CALLER),  # an index row too long
        ("40001", Fault.CONFLICT),
        ("40P01", Fault.CONFLICT),
        ("23505", Fault.CONFLICT),
        ("23503", Fault.CONFLICT),
        ("55P03", Fault.CONFLICT),
        ("57014", Fault.CONFLICT),
        ("08006", Fault.CONNECTION),
        ("08P01", Fault.CONNECTION),
        ("25006", Fault.CONNECTION),
        ("26000", Fault.CONNECTION),
        ("28P01", Fault.CONNECTION),
        ("3D000", Fault.CONNECTION),
        ("42P05", Fault.CONNECTION),
        ("53100", Fault.CONNECTION),
        ("53300", Fault.CONNECTION),
        ("57P01", Fault.CONNECTION),
        ("57P03", Fault.CONNECTION),
        ("58030", Fault.CONNECTION),
        ("0A000", Fault.OURS),  # but for the one that a migration causes
        ("22012", Fault.OURS),
        ("25P02", Fault.OURS),
        ("42501", Fault.OURS),
        ("42703", Fault.OURS),
        ("42P01", Fault.OURS),
        ("P0001", Fault.OURS),
        ("XX000", Fault.OURS),
        ("ZZ999", Fault.OURS),  # of a later release
    ],
)
def test_codes_are_judged_by_class_and_exception(sqlstate: str, fault: Fault) -> None:
    assert verdict_of(sqlstate).fault is fault


def test_the_tables_name_codes_that_exist_and_no_verdict_twice() -> None:
    classes = {code[:2] for code in DRIVER_ERRORS}
    assert set(CLASSES) <= classes
    # The list of the driver is of PostgreSQL 16; the transaction time-out came with 17.
    assert set(EXCEPTIONS) <= set(DRIVER_ERRORS) | {"25P04"}
    assert all(CLASSES.get(code[:2], OURS) is not verdict for code, verdict in EXCEPTIONS.items())


@pytest.mark.parametrize("sqlstate", sorted(DRIVER_ERRORS))
def test_every_code_that_the_driver_knows_becomes_one_of_four(sqlstate: str) -> None:
    raw = DRIVER_ERRORS[sqlstate]("words of the server")
    verdict = judge(raw)
    wrapped = DBAPIError("SELECT", None, raw)
    assert verdict is not None
    assert judge(wrapped) == verdict
    for error in (raw, wrapped):
        translated = translate_error(error)
        if verdict.fault is Fault.OURS:
            assert translated is None
        elif verdict.refuses:
            assert isinstance(translated, DataRefused)
        else:
            assert isinstance(translated, DatabaseUnavailable)
            assert translated.repeatable is (verdict.repeats and verdict.certain)


def test_an_error_that_leaves_the_outcome_open_is_repeated_only_if_nothing_was_sent() -> None:
    lost = DRIVER_ERRORS["57P01"]("terminating connection")
    for undone in (False, True):
        translated = translate_error(lost, undone=undone)
        assert isinstance(translated, DatabaseUnavailable)
        assert translated.repeatable is undone


def test_a_statement_that_a_migration_made_invalid_is_the_connections_fault() -> None:
    raw = asyncpg.exceptions.InvalidCachedStatementError("cached plan must not change result type")
    form = type("InvalidCachedStatementError", (Exception,), {})("… will now invalidate all prepared caches")
    form.__cause__ = raw
    for error in (raw, DBAPIError("SELECT", None, raw), DBAPIError("SELECT", None, form)):
        translated = translate_error(error)
        assert isinstance(translated, DatabaseUnavailable)
        assert translated.repeatable


@pytest.mark.parametrize(
    "error",
    [
        PoolTimeout(),
        ConnectionResetError(),
        TimeoutError(),
        DBAPIError("SELECT", None, Exception(), connection_invalidated=True),
        PendingRollbackError("lost before", code="8s2b"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("out of step"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_without_a_code_that_mean_no_connection(error: Exception) -> None:
    assert isinstance(translate_error(error), DatabaseUnavailable)


def test_what_has_nothing_to_do_with_a_database_is_not_judged() -> None:
    for error in (RuntimeError("x"), ValueError("x"), OSError("a file")):
        assert judge(error) is None
        assert translate_error(error) is None
    assert translate_error(PendingRollbackError("a mistake")) is None


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (5, "conflict"),
        (8, "connection"),
        (13, "connection"),
        (2067, "conflict"),
        (1299, "caller"),
        (1, "ours"),
    ],
)
def test_sqlites_codes_are_judged_too(code: int, fault: str) -> None:
    assert sqlite_verdict_of(code).fault.value == fault
    assert all(number < 256 for number in SQLITE)


def test_faults_are_counted_for_the_alarm() -> None:
    def count() -> float:
        labels = {"fault": "ours", "code": "42P01"}
        return metrics.REGISTRY.get_sample_value("database_faults_total", labels) or 0

    before = count()
    translate_error(DBAPIError("SELECT", None, DRIVER_ERRORS["42P01"]("relation does not exist")))
    assert count() == before + 1
