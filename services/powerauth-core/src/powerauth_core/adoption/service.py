"""Taking over a database of the original, release 1.9 or 1.10 (spec/core-api.md §24, §25).

Everything is examined before anything is changed. Then the database is stamped with the baseline, which is
the original's schema, and the migrations after it add to it, each in a transaction of its own.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, text

from powerauth_core.adoption import repository, rules
from powerauth_core.adoption.baseline import baseline_schema, schema_of
from powerauth_core.adoption.records import examine_records
from powerauth_core.adoption.report import Report
from powerauth_core.adoption.shapes import Schema
from powerauth_core.adoption.subjects import name_subjects
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.migrations import BASELINE, SCRIPT_LOCATION
from powerauth_core.schema import metadata
from servicekit import clock, migrations
from servicekit.commands import Outcome, judge
from servicekit.database import normalised_url
from servicekit.engines import is_missing_file
from servicekit.master_keys import MasterKeys
from servicekit.migrations import Migrator

_NUMBERED_BY = {
    "pa_application": "pa_application_seq",
    "pa_application_version": "pa_application_version_seq",
    "pa_master_keypair": "pa_master_keypair_seq",
    "pa_signature_audit": "pa_signature_audit_seq",
    "pa_activation_history": "pa_activation_history_seq",
    "pa_recovery_code": "pa_recovery_code_seq",
    "pa_recovery_puk": "pa_recovery_puk_seq",
    "pa_recovery_config": "pa_recovery_config_seq",
    "pa_operation_template": "pa_operation_template_seq",
    "pa_application_config": "pa_app_conf_seq",
    "pa_application_callback_event": "pa_app_callback_event_seq",
}
_UNIQUE_PER_APPLICATION = (("pa_application_config", "config_key"), ("pa_application_version", "name"))
_WITH_SUBJECTS = "0002_own_additions"
_ORIGINAL = "pa_activation"
_CLOCK_TOLERANCE = timedelta(minutes=5)


async def adopt(url: str, master_key: bytes | None, *, check_only: bool = False) -> Outcome:
    """Take over the database, or only say whether it could be; repeated it does nothing.

    Others that adopt or migrate the same database wait, or are waited for.

    :param master_key: 16 bytes, with which the original encrypted records, or None
    :raises DatabaseUnavailable: no connection, or no lock in time
    """
    if normalised_url(url).get_backend_name() != "postgresql":
        return Outcome(False, "Databases of the original are adopted on PostgreSQL only.")
    newest = await migrations.head(SCRIPT_LOCATION)
    async with migrations.exclusive(url, SCRIPT_LOCATION) as migrator:
        revision = await migrator.current()
        if revision is None:
            report, release = await _examine(migrator, RecordCipher(MasterKeys(master_key)))
            if check_only or not report.adoptable:
                return Outcome(report.adoptable, str(report))
            await migrator.stamp(BASELINE)
            await _upgrade(migrator, BASELINE)
            told = "\n".join(f"notice: {notice}" for notice in report.notices)
            return Outcome(True, f"{told}\nRelease {release} adopted, {await _where(migrator)}.".lstrip())
        if not check_only and revision != newest and revision in migrations.history(SCRIPT_LOCATION):
            await _upgrade(migrator, revision)
            return Outcome(True, f"An unfinished adoption is finished, {await _where(migrator)}.")
        return Outcome(True, f"The database has been adopted already, {await _where(migrator)}.")


async def migrate(url: str) -> Outcome:
    """Bring a database of ours to the current schema; one of the original is left as it is.

    :raises DatabaseUnavailable: no connection, or no lock in time
    """
    async with migrations.exclusive(url, SCRIPT_LOCATION) as migrator:
        revision = await migrator.current()
        if revision is None and await migrator.has_table(_ORIGINAL):
            return Outcome(False, "This is a database of the original: adopt it, `powerauth db adopt`.")
        await _upgrade(migrator, revision)
        return Outcome(True, f"The schema is current, {await _where(migrator)}.")


async def check(url: str, master_key: bytes | None) -> Outcome:
    """Whether the schema is the current one; of a database of the original, whether it can be adopted.

    :raises DatabaseUnavailable: no connection, or no lock in time
    """
    newest = await migrations.head(SCRIPT_LOCATION)
    if is_missing_file(url):
        return judge(None, newest, SCRIPT_LOCATION)
    async with migrations.exclusive(url, SCRIPT_LOCATION) as migrator:
        revision = await migrator.current()
        if revision is None and await migrator.has_table(_ORIGINAL):
            report, _release = await _examine(migrator, RecordCipher(MasterKeys(master_key)))
            return Outcome(report.adoptable, str(report))
    return judge(revision, newest, SCRIPT_LOCATION)


async def _upgrade(migrator: Migrator, revision: str | None) -> None:
    """To the newest revision; what an adoption had begun is done on the way."""
    if revision in (BASELINE, _WITH_SUBJECTS):
        await migrator.upgrade(_WITH_SUBJECTS)
        await name_subjects(migrator.connection)
    await migrator.upgrade()


async def _where(migrator: Migrator) -> str:
    return f"revision {await migrator.current()}"


async def _examine(migrator: Migrator, cipher: RecordCipher) -> tuple[Report, str | None]:
    try:
        return await migrator.connection.run_sync(examine, cipher)
    finally:
        await migrator.end()


def examine(connection: Connection, cipher: RecordCipher) -> tuple[Report, str | None]:
    """Look at everything that the adoption relies on, changing nothing.

    :return: what was found, and the release that the schema is of, if it is of one
    """
    connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    report = Report()
    expected, actual = baseline_schema(), repository.schema(connection)
    if _ORIGINAL not in actual.tables:
        report.problems.append("there is no table pa_activation: this is no database of the original")
        return report, None
    rules.compare(expected, actual, additions_to(expected), report)
    _examine_rights(connection, expected, actual, report)
    release = rules.release_of(actual)
    if not report.problems:
        # Rows are read only where the columns are what the queries take them for.
        _examine_rows(connection, expected, actual, report)
        examine_records(connection, cipher, report)
        _tell_circumstances(connection, report)
        report.notices.insert(0, f"the schema is that of release {release}")
    return report, release


def additions_to(expected: Schema) -> rules.Additions:
    """What the migrations after the baseline give names to."""
    current = schema_of(metadata, {})
    return rules.Additions(
        tables=set(current.tables) - set(expected.tables),
        columns={
            (name, column)
            for name, table in expected.tables.items()
            for column in set(current.tables[name].columns) - set(table.columns)
        },
        indexes={index for table in current.tables.values() for index in table.indexes}
        - {index for table in expected.tables.values() for index in table.indexes}
        - set(current.tables[rules.TEXTS].indexes)
        - {"audit_log_subject_id_idx"},
        texts=current.tables[rules.TEXTS],
    )


def _examine_rights(connection: Connection, expected: Schema, actual: Schema, report: Report) -> None:
    ours = [name for name in expected.tables if name in actual.tables]
    report.problems += [
        f"the database user does not own table {name} and could not change it"
        for name in repository.not_owned(connection, ours)
    ]
    if not repository.may_create(connection):
        report.problems.append("the database user may not create tables in the schema")
    for kind, name, table in repository.dependents(connection, ours):
        rules.dependent(kind, name, table, report)
    if "databasechangeloglock" in actual.tables and repository.migration_lock_held(connection):
        report.problems.append(
            "Liquibase holds its lock: the original is being migrated, or its lock was left"
        )


def _examine_rows(connection: Connection, expected: Schema, actual: Schema, report: Report) -> None:
    for table, column in rules.lost_not_null(expected, actual):
        if repository.has_null(connection, table, column):
            report.problems.append(f"column {table}.{column} has rows without a value, which it must have")
        else:
            report.notices.append(f"column {table}.{column} may be NULL, though no row is")
    for table, sequence in _NUMBERED_BY.items():
        number, highest = (
            repository.next_number(connection, sequence),
            repository.highest_id(connection, table),
        )
        if number <= highest:
            report.problems.append(
                f"sequence {sequence} goes on with {number}, but {table} has rows up to {highest}"
            )
    for table, column in _UNIQUE_PER_APPLICATION:
        for rid, value, count in repository.duplicates(connection, table, column):
            report.problems.append(
                f"{table} has {count} rows of {column} {value!r} for application {rid}: one may stay"
            )


def _tell_circumstances(connection: Connection, report: Report) -> None:
    legacy = repository.count_activations(connection, "version = 2 AND device_public_key_base64 IS NOT NULL")
    if legacy:
        report.notices.append(
            f"{legacy} activations are of protocol version 2: they can be listed, blocked and removed only"
        )
    fido2 = repository.count_activations(connection, "protocol = 'fido2'")
    if fido2:
        report.notices.append(
            f"{fido2} activations are passkeys: they work on; which are synchronised is known from their next"
            " sign-in"
        )
    others = repository.other_sessions(connection)
    if others:
        report.notices.append(f"{others} other sessions are connected: stop the original server first")
    latest = repository.latest_use(connection)
    if latest is not None and latest > clock.now() + _CLOCK_TOLERANCE:
        report.notices.append(
            "the newest signature is from the future: times were written in local time and are read as UTC"
        )
