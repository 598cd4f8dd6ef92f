"""What is found before anything is changed, all of it in one report (spec/core-api.md §25)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from core_test_original import MASTER_KEY
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from powerauth_core.adoption.baseline import baseline_schema
from powerauth_core.adoption.service import adopt, check, migrate
from powerauth_core.adoption.subjects import subject_of
from powerauth_core.migrations import BASELINE, SCRIPT_LOCATION
from powerauth_core.runtime import running_core
from powerauth_core.settings import CoreSettings
from servicekit import migrations
from servicekit.database import normalised_url
from servicekit.start_rules import StartRefused

if TYPE_CHECKING:
    from adoption.conftest import Examine, Execute


OTHER_KEY = base64.b64decode("b3RoZXIgbWFzdGVyIGtleQ==")


async def problems_after(execute: Execute, examine: Examine, *statements: str) -> list[str]:
    """The problems that the statements make."""
    await execute(*statements)
    outcome = await examine()
    assert not outcome.ok, outcome.text
    return [line.removeprefix("problem: ") for line in outcome.text.splitlines() if "problem: " in line]


async def notices_after(execute: Execute, examine: Examine, *statements: str) -> list[str]:
    """The notices beside which the database can still be adopted."""
    await execute(*statements)
    outcome = await examine()
    assert outcome.ok, outcome.text
    return [line.removeprefix("notice: ") for line in outcome.text.splitlines() if "notice: " in line]


async def test_the_original_schema_is_what_is_expected(examine: Examine) -> None:
    outcome = await examine()
    assert outcome.text.splitlines() == [
        "notice: the schema is that of release 1.9",
        "notice: 1 activations are of protocol version 2: they can be listed, blocked and removed only",
        "notice: 1 activations are passkeys: they work on; which are synchronised is known from their next"
        " sign-in",
        "The database can be adopted.",
    ]


async def test_everything_that_is_wrong_is_in_one_report_and_nothing_is_changed(
    execute: Execute, original_url: str
) -> None:
    await execute(
        "DROP TABLE pa_temporary_key",
        "ALTER TABLE pa_token DROP COLUMN token_secret",
        "ALTER TABLE pa_activation ALTER COLUMN user_id TYPE VARCHAR(64)",
        "ALTER TABLE pa_operation ALTER COLUMN parameters TYPE JSONB USING parameters::jsonb",
        "ALTER TABLE pa_operation ALTER COLUMN timestamp_created TYPE TIMESTAMPTZ",
        "ALTER TABLE pa_activation ALTER COLUMN counter TYPE SMALLINT",
        "ALTER TABLE pa_activation ALTER COLUMN max_failed_attempts DROP DEFAULT",
        "ALTER TABLE pa_operation ALTER COLUMN operation_type SET NOT NULL",
        "ALTER TABLE pa_operation ADD COLUMN branch VARCHAR(10) NOT NULL DEFAULT 'x'",
        "ALTER TABLE pa_operation ALTER COLUMN branch DROP DEFAULT",
        "ALTER TABLE shedlock DROP CONSTRAINT shedlock_pkey",
        "DROP INDEX pa_application_name",
        "DROP SEQUENCE pa_recovery_puk_seq",
        "ALTER SEQUENCE pa_app_callback_event_seq INCREMENT 1",
        "CREATE TABLE outbox_event (id INTEGER)",
        "CREATE TABLE audit_log_old (id INTEGER)",
        "ALTER TABLE pa_integration ADD COLUMN kind VARCHAR(5)",
        "ALTER TABLE pa_activation ADD COLUMN additional_data VARCHAR(100)",
        "CREATE INDEX pa_operation_external_id_idx ON pa_operation (external_id)",
        "CREATE VIEW audit_report AS SELECT id FROM pa_signature_audit",
    )
    outcome = await adopt(original_url, MASTER_KEY)
    assert not outcome.ok
    found = [line for line in outcome.text.splitlines() if line.startswith("problem: ")]
    assert sorted(line.removeprefix("problem: ") for line in found) == sorted(
        [
            "table pa_temporary_key is missing",
            "column pa_token.token_secret is missing, expected VARCHAR(255)",
            "column pa_activation.user_id is VARCHAR(64), expected VARCHAR(255)",
            "column pa_operation.parameters is JSONB, expected TEXT",
            "column pa_operation.timestamp_created is TIMESTAMP WITH TIME ZONE,"
            " expected TIMESTAMP WITHOUT TIME ZONE",
            "column pa_activation.counter is SMALLINT, expected INTEGER",
            "column pa_activation.max_failed_attempts has lost its default",
            "column pa_operation.branch is not the original's and NOT NULL without a default:"
            " rows could not be written",
            "the primary key of shedlock is (), expected (name)",
            "no unique index on pa_application (name)",
            "sequence pa_recovery_puk_seq is missing",
            "sequence pa_app_callback_event_seq counts by 1, expected 50",
            "table outbox_event is there already; migrations make one of that name",
            "table audit_log_old is there already; migrations make partitions of such names",
            "column pa_integration.kind is there already; migrations add one of that name",
            "column pa_activation.additional_data is VARCHAR(100), expected TEXT",
            "index pa_operation_external_id_idx is there already; migrations make one of that name",
            "view audit_report on pa_signature_audit, which is going to be split by month:"
            " drop it, and make it again after",
        ]
    )
    assert outcome.text.endswith("The database cannot be adopted: 18 problems. Nothing was changed.")
    assert await migrations.current(original_url) is None


async def test_every_table_and_column_is_looked_at(execute: Execute, examine: Examine) -> None:
    tables = baseline_schema().tables
    columns = [(table, column) for table in tables for column in tables[table].columns]
    assert (len(tables), len(columns)) == (23, 201)
    renames = [f'ALTER TABLE {table} RENAME COLUMN "{column}" TO "x_{column}"' for table, column in columns]
    found = await problems_after(execute, examine, *renames)
    missing = {line.split(" is missing")[0] for line in found if " is missing" in line}
    assert missing == {f"column {table}.{column}" for table, column in columns}


async def test_what_a_bank_added_is_told_and_tolerated(
    execute: Execute, examine: Examine, original_url: str
) -> None:
    found = await notices_after(
        execute,
        examine,
        "CREATE TABLE bank_report (id INTEGER, activation_id VARCHAR(37) REFERENCES pa_activation)",
        "ALTER TABLE pa_activation ADD COLUMN branch VARCHAR(10)",
        "ALTER TABLE pa_operation ALTER COLUMN user_id TYPE VARCHAR(400)",
        "ALTER TABLE pa_activation ALTER COLUMN counter TYPE BIGINT",
        "ALTER TABLE pa_operation ALTER COLUMN max_failure_count DROP NOT NULL",
        "CREATE INDEX bank_operations ON pa_operation (operation_type, user_id)",
        "CREATE UNIQUE INDEX bank_names ON pa_application_callback (name)",
        "DROP INDEX pa_token_activation",
        "ALTER TABLE pa_token DROP CONSTRAINT activation_token_fk",
        "ALTER INDEX pa_operation_user RENAME TO bank_operation_user",
        "CREATE VIEW bank_view AS SELECT activation_id FROM pa_activation",
    )
    for expected in (
        "tables of others, left alone: bank_report",
        "column pa_activation.branch is not the original's: left alone",
        "column pa_operation.user_id is VARCHAR(400), wider than VARCHAR(255)",
        "column pa_activation.counter is BIGINT, wider than INTEGER",
        "column pa_operation.max_failure_count may be NULL, though no row is",
        "index bank_operations on pa_operation is not the original's: left alone",
        "unique index bank_names on pa_application_callback (name) is not the original's:"
        " it refuses rows that the original takes",
        "no index on pa_token (activation_id): queries by it are slow",
        "no foreign key from pa_token (activation_id) to pa_activation",
        "view bank_view on pa_activation: see that it goes on to do what it should",
    ):
        assert expected in found
    outcome = await adopt(original_url, MASTER_KEY)
    assert outcome.ok, outcome.text
    assert "notice: tables of others, left alone: bank_report" in outcome.text


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            "INSERT INTO pa_application_config (id, application_id, config_key)"
            " VALUES (9, 1, 'oauth2_providers')",
            "pa_application_config has 2 rows of config_key 'oauth2_providers' for application 1:"
            " one may stay",
        ),
        (
            "UPDATE pa_application_version SET name = 'old' WHERE id = 1",
            "pa_application_version has 2 rows of name 'old' for application 1: one may stay",
        ),
        (
            "SELECT setval('pa_signature_audit_seq', 30, false)",
            "sequence pa_signature_audit_seq goes on with 30, but pa_signature_audit has rows up to 33",
        ),
        (
            "ALTER TABLE pa_token ALTER COLUMN signature_type DROP NOT NULL;"
            "UPDATE pa_token SET signature_type = NULL",
            "column pa_token.signature_type has rows without a value, which it must have",
        ),
        (
            "UPDATE pa_activation SET server_private_key_encryption = 2 WHERE activation_status = 4",
            "pa_activation.server_private_key_base64 has records of unknown encryption modes: 2",
        ),
    ],
)
async def test_rows_that_would_stop_a_migration_or_the_server_are_found(
    change: str, problem: str, execute: Execute, examine: Examine
) -> None:
    assert await problems_after(execute, examine, *change.split(";")) == [problem]


async def test_a_master_key_that_does_not_fit_is_found(examine: Examine) -> None:
    sealed = (
        "pa_activation.server_private_key_base64",
        "pa_temporary_key.private_key_base64",
        "pa_recovery_puk.puk",
        "pa_recovery_config.postcard_private_key_base64",
        "pa_application_callback.authentication",
        "pa_application_config.config_values",
    )
    for key, reason in (
        (None, "has encrypted records, and no master encryption key is configured"),
        (OTHER_KEY, "is encrypted with another master key than the configured one"),
    ):
        outcome = await examine(key)
        assert not outcome.ok
        for name in sealed:
            assert f"problem: {name} {reason}" in outcome.text


async def test_a_single_damaged_record_does_not_stop_the_adoption(execute: Execute, examine: Examine) -> None:
    found = await notices_after(
        execute,
        examine,
        "UPDATE pa_activation SET server_private_key_base64 = 'ZGFtYWdlZA==' WHERE activation_status = 4",
    )
    assert any("1 of 6 encrypted records looked at are unreadable" in notice for notice in found)


async def test_older_and_newer_releases_are_told_apart(execute: Execute, examine: Examine) -> None:
    found = await problems_after(
        execute, examine, "ALTER TABLE pa_activation ADD COLUMN crypto_algorithm VARCHAR(32)"
    )
    assert found == [
        "pa_activation has columns of release 2 of the original (crypto_algorithm);"
        " 1.9 and 1.10 can be adopted"
    ]
    found = await problems_after(execute, examine, "ALTER TABLE pa_activation DROP COLUMN commit_phase")
    assert "column pa_activation.commit_phase is missing, expected INTEGER" in found


async def test_who_may_not_change_the_tables_learns_it_first(execute: Execute, original_url: str) -> None:
    await execute(
        "DROP ROLE IF EXISTS adoption_guest",
        "CREATE ROLE adoption_guest LOGIN",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO adoption_guest",
        "GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO adoption_guest",
    )
    guest = normalised_url(original_url).set(username="adoption_guest")
    try:
        outcome = await adopt(guest.render_as_string(hide_password=False), MASTER_KEY)
    finally:
        await execute("DROP OWNED BY adoption_guest", "DROP ROLE adoption_guest")
    assert not outcome.ok
    assert "the database user does not own table pa_activation and could not change it" in outcome.text
    assert "the database user may not create tables in the schema" in outcome.text


async def test_an_owner_who_is_nobody_else_adopts_in_a_schema_of_its_own(
    execute: Execute, original_url: str
) -> None:
    """As banks install it: no superuser, not in `public`, privileges of reporting users on some tables."""
    name = normalised_url(original_url).database
    await execute(
        "DROP ROLE IF EXISTS adoption_owner",
        "CREATE ROLE adoption_owner LOGIN",
        "ALTER SCHEMA public RENAME TO bank",
        "ALTER SCHEMA bank OWNER TO adoption_owner",
        f'ALTER DATABASE "{name}" SET search_path TO bank',
        "DO $$ DECLARE one record; BEGIN FOR one IN SELECT relname, relkind FROM pg_class"
        " WHERE relnamespace = 'bank'::regnamespace AND relkind IN ('r', 'S') LOOP"
        " EXECUTE format('ALTER %s bank.%I OWNER TO adoption_owner',"
        " CASE one.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, one.relname);"
        " END LOOP; END $$",
    )
    url = normalised_url(original_url).set(username="adoption_owner").render_as_string(hide_password=False)
    try:
        outcome = await adopt(url, MASTER_KEY)
        assert outcome.ok, outcome.text
        assert (await check(url, MASTER_KEY)).ok
    finally:
        await execute("DROP OWNED BY adoption_owner CASCADE", "DROP ROLE adoption_owner")


async def test_the_original_must_not_be_migrating_itself(execute: Execute, examine: Examine) -> None:
    found = await problems_after(
        execute,
        examine,
        "CREATE TABLE databasechangeloglock (id INTEGER, locked BOOLEAN)",
        "INSERT INTO databasechangeloglock VALUES (1, TRUE)",
    )
    assert found == ["Liquibase holds its lock: the original is being migrated, or its lock was left"]


async def test_times_ahead_of_ours_and_other_sessions_are_told(
    execute: Execute, examine: Examine, original_url: str
) -> None:
    await execute("UPDATE pa_signature_audit SET timestamp_created = now() + interval '1 day'")
    engine = create_async_engine(normalised_url(original_url), poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
        outcome = await examine()
    await engine.dispose()
    assert outcome.ok, outcome.text
    assert "times were written in local time and are read as UTC" in outcome.text
    assert "1 other sessions are connected: stop the original server first" in outcome.text


async def test_migrating_leaves_a_database_of_the_original_alone(original_url: str) -> None:
    outcome = await migrate(original_url)
    assert (outcome.ok, "database of the original: adopt it" in outcome.text) == (False, True)
    assert await migrations.current(original_url) is None
    assert "The database can be adopted." in (await check(original_url, MASTER_KEY)).text


async def test_a_core_does_not_start_on_a_database_of_the_original(original_url: str) -> None:
    settings = CoreSettings(environment="test", database_url=original_url, migrate_on_start=True)
    with pytest.raises(StartRefused, match="CORE_DATABASE_URL: This is a database of the original"):
        async with running_core(settings):
            pytest.fail("started")
    assert await migrations.current(original_url) is None


async def test_an_older_and_an_unknown_revision_are_told(original_url: str, execute: Execute) -> None:
    await migrations.stamp(original_url, SCRIPT_LOCATION, BASELINE)
    outcome = await check(original_url, MASTER_KEY)
    assert (outcome.ok, f"of revision {BASELINE}, the newest is" in outcome.text) == (False, True)
    assert (await migrate(original_url)).ok
    assert (await check(original_url, MASTER_KEY)).ok
    await execute("UPDATE alembic_version SET version_num = '9999_future'")
    outcome = await check(original_url, MASTER_KEY)
    assert (outcome.ok, "which this release does not know" in outcome.text) == (False, True)


async def test_an_empty_database_and_sqlite_are_no_databases_of_the_original(
    original_url: str, execute: Execute
) -> None:
    await execute("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    outcome = await adopt(original_url, MASTER_KEY)
    assert (outcome.ok, "no database of the original" in outcome.text) == (False, True)
    assert await check(original_url, MASTER_KEY) == await check(original_url, None)
    assert "empty: migrate" in (await check(original_url, MASTER_KEY)).text
    outcome = await adopt("sqlite:///nowhere.sqlite3", MASTER_KEY)
    assert (outcome.ok, "PostgreSQL only" in outcome.text) == (False, True)


@pytest.mark.parametrize(
    ("param", "subject"),
    [
        ('{"userId":"u"}', "u"),
        ('{"user":"v","activationId":"a"}', "v"),
        ('{"userId":null}', None),
        ('{"userId":7}', None),
        ('["userId"]', None),
        ("{", None),
        ("", None),
        (None, None),
    ],
)
def test_the_subject_is_the_user_that_the_parameters_name(param: str | None, subject: str | None) -> None:
    assert subject_of(param) == subject
