"""`powerauth db`, `job` and `audit`: the core's commands, with its settings, by exit status and words."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from powerauth_cli.main import app
from servicekit.logs import configure_logging

RUNNER = CliRunner()


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database, as the core is told of it."""
    url = f"sqlite:///{tmp_path}/core.sqlite3"
    monkeypatch.setenv("CORE_DATABASE_URL", url)
    monkeypatch.setenv("CORE_LOG_LEVEL", "ERROR")
    monkeypatch.delenv("CORE_MASTER_ENCRYPTION_KEY", raising=False)
    yield url
    configure_logging("tests", "INFO", json=True)


def run(*arguments: str) -> tuple[int, str]:
    """Run a command; exit status and everything that it said."""
    result = RUNNER.invoke(app, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_a_database_is_migrated_and_checked(database: str) -> None:
    status, output = run("db", "check")
    assert (status, "The database is empty: migrate." in output) == (1, True)
    status, output = run("db", "migrate")
    assert (status, "The schema is current" in output) == (0, True)
    status, output = run("db", "check")
    assert (status, "The schema is current" in output) == (0, True)
    assert run("db", "migrate")[0] == 0


@pytest.mark.usefixtures("database")
def test_the_audit_log_is_printed_behind_a_cursor() -> None:
    run("db", "migrate")
    for name in ("bank", "shop"):
        run("integration", "create", name, "--door", "rest")
    result = RUNNER.invoke(app, ["audit", "export", "--format", "ocsf"])
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["unmapped"]["name"] for line in lines] == ["bank", "shop"]
    first, last = [line["metadata"]["sequence"] for line in lines]
    assert f"cursor {last}" in result.stderr
    rest = RUNNER.invoke(app, ["audit", "export", "--from", str(first)])
    assert [json.loads(line)["powerauth"]["name"] for line in rest.stdout.splitlines()] == ["shop"]
    assert run("audit", "export", "--from", "9", "--since", "2026-01-01")[0] != 0


@pytest.mark.usefixtures("database")
def test_other_data_files_of_passkeys_are_tried_without_changing_anything(tmp_path: Path) -> None:
    run("db", "migrate")
    status, output = run("passkeys", "impact")
    assert (status, "nobody would lose a passkey" in output) == (0, True)
    status, output = run("passkeys", "impact", "--known-synced", str(tmp_path / "missing.json"))
    assert (status, "Not usable: knownSyncedFile" in output) == (1, True)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "arguments", [("list",), ("detach", "audit_log_2026_01"), ("attach", "audit_log_2026_01")]
)
def test_plain_tables_have_no_months(arguments: tuple[str, ...]) -> None:
    run("db", "migrate")
    status, output = run("db", "partitions", *arguments)
    assert (status, "there are no partitions" in output) == (1, True), output


@pytest.mark.parametrize("options", [(), ("--check",)])
def test_what_cannot_be_adopted_is_refused(database: str, options: tuple[str, ...]) -> None:
    status, output = run("db", "adopt", *options)
    assert (status, "PostgreSQL only" in output) == (1, True)


@pytest.mark.usefixtures("database")
def test_secrets_are_encrypted_with_the_configured_key(monkeypatch: pytest.MonkeyPatch) -> None:
    run("db", "migrate")
    status, output = run("db", "encrypt")
    assert (status, "No master encryption key is configured." in output) == (1, True)
    monkeypatch.setenv("CORE_MASTER_ENCRYPTION_KEY", "MTIzNDU2Nzg5MDEyMzQ1Ng==")
    status, output = run("db", "encrypt")
    assert (status, "pa_token.token_secret: 0 encrypted, 0 unreadable" in output) == (0, True)


def test_a_key_is_rotated_and_a_backup_checked(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = "MTIzNDU2Nzg5MDEyMzQ1Ng==", "bmV3IG1hc3RlciBrZXkgIQ=="
    status, output = run("backup", "check", "core")
    assert (status, "The database is empty: migrate." in output) == (1, True)
    run("db", "migrate")
    monkeypatch.setenv("CORE_MASTER_ENCRYPTION_KEY", old)
    run("integration", "create", "bank", "--door", "rest")
    assert run("keys", "rotate", "core", "--status")[0] == 0
    monkeypatch.setenv("CORE_PREVIOUS_MASTER_ENCRYPTION_KEYS", old)
    monkeypatch.setenv("CORE_MASTER_ENCRYPTION_KEY", new)
    status, output = run("keys", "rotate", "core", "--status")
    assert (status, "2 values are of other keys" in output) == (1, True), output
    status, output = run("keys", "rotate", "core", "--batch", "1")
    assert (status, "pa_integration: 1 rows written anew" in output) == (0, True), output
    status, output = run("keys", "rotate", "core", "--status")
    assert (status, "0 values are of other keys" in output) == (0, True), output
    status, output = run("keys", "rotate", "statements")
    assert (status, "Statements are signed with" in output) == (0, True), output
    status, output = run("backup", "check", "core", "--all")
    found = {line.split()[0]: line.split()[1:] for line in output.splitlines()}
    assert (status, found["pa_integration.row_mac"]) == (0, ["1", "0", "ok"]), output


def test_jobs_are_listed_and_run(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run("db", "migrate")
    monkeypatch.setenv("CORE_JOB_UNIQUE_VALUE_CLEANUP_MS", "0")
    status, output = run("job", "list")
    assert status == 0
    assert "expireUniqueValuesTask: not scheduled" in output.splitlines()
    assert "expireTemporaryKeys: every 5 s" in output.splitlines()
    status, output = run("job", "run", "expireUniqueValuesTask")
    assert (status, "expireUniqueValuesTask has run." in output) == (0, True)
    status, output = run("job", "run", "expireEverything")
    assert (status, "There is no job expireEverything" in output) == (1, True)


def test_the_audit_is_verified_against_a_checkpoint(
    database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run("db", "migrate")
    status, output = run("audit", "verify")
    assert (status, "No key is configured" in output) == (1, True)
    monkeypatch.setenv("CORE_AUDIT_CHAIN_KEY", "MTIzNDU2Nzg5MDEyMzQ1Ng==")
    file = tmp_path / "checkpoint.json"
    assert run("audit", "checkpoint", str(file)) == (0, f"0 chains written to {file}.\n")
    assert run("audit", "accept")[0] == 0
    assert run("audit", "rebuild") == (0, "The registry was made anew.\n")
    assert run("audit", "rebuild") == (0, "The registry is not damaged.\n")
    status, output = run("audit", "verify", "--checkpoint", str(file))
    assert (status, output) == (
        0,
        "0 rows in 0 chains are as they were written, 0 rows are not chained, 0 findings\n",
    )
    file.write_text(file.read_text().replace('"format": 1', '"format": 2'))
    status, output = run("audit", "verify", "--checkpoint", str(file))
    assert (status, "the checkpoint was changed" in output) == (1, True)
    with sqlite3.connect(database.removeprefix("sqlite:///")) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute(
            "INSERT INTO pa_signature_audit (id, activation_id, activation_counter, signature_type,"
            " signature, timestamp_created) VALUES (1, 'a', 0, 'POSSESSION', 's', '2026-01-01 00:00:00')"
        )
    status, output = run("audit", "verify")
    assert status == 1
    assert output.startswith("not chained: row 1, activation a, newer than the first chain")
    assert output.endswith("1 rows are not chained, 1 findings\n")


@pytest.mark.usefixtures("database")
def test_a_database_that_is_not_there_is_told_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CORE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/x")
    for arguments in (("db", "check"), ("job", "run", "expireTemporaryKeys")):
        status, output = run(*arguments)
        assert (status, "Traceback" in output) == (1, False)
