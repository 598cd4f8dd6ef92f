"""No row is lost and no value changed by an adoption, from either release (spec/core-api.md §25, §31.1)."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from core_test_original import MASTER_KEY, Original
from core_test_sealing import record_key, seal
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from powerauth_core.activations.models import Activation
from powerauth_core.adoption.service import adopt, check, migrate
from powerauth_core.migrations import SCRIPT_LOCATION
from servicekit import migrations
from servicekit.database import Database, normalised_url
from servicekit.testing import fresh_database

VECTORS = Path(__file__).resolve().parents[4] / "tests" / "vectors" / "server_record_encryption.json"


async def contents(url: str, columns: dict[str, list[str]]) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of the tables, in these columns."""
    engine = create_async_engine(normalised_url(url), poolclass=NullPool)
    async with engine.connect() as connection:
        found = {}
        for table, names in columns.items():
            rows = await connection.execute(text(f"SELECT {', '.join(names)} FROM {table}"))
            found[table] = sorted((tuple(row) for row in rows), key=repr)
    await engine.dispose()
    return found


async def columns_of(url: str) -> dict[str, list[str]]:
    """Columns of every table."""
    query = (
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY table_name, ordinal_position"
    )
    engine = create_async_engine(normalised_url(url), poolclass=NullPool)
    async with engine.connect() as connection:
        columns: dict[str, list[str]] = {}
        for table, column in await connection.execute(text(query)):
            columns.setdefault(table, []).append(column)
    await engine.dispose()
    return columns


async def test_every_row_is_what_it_was(release_url: str, release: str, original: Original) -> None:
    columns = await columns_of(release_url)
    before = await contents(release_url, columns)
    assert {table: len(rows) for table, rows in before.items() if table in original.tables} == {
        table: len(rows) for table, rows in original.tables.items()
    }
    outcome = await adopt(release_url, MASTER_KEY)
    assert outcome.ok, outcome.text
    assert f"Release {release} adopted" in outcome.text
    assert await contents(release_url, columns) == before
    assert await migrations.current(release_url) == await migrations.head(SCRIPT_LOCATION)
    assert (await check(release_url, MASTER_KEY)).ok


async def test_a_second_adoption_changes_nothing(original_url: str) -> None:
    await adopt(original_url, MASTER_KEY)
    columns = await columns_of(original_url)
    before = await contents(original_url, columns)
    outcome = await adopt(original_url, None)
    assert (outcome.ok, "adopted already" in outcome.text) == (True, True)
    assert await columns_of(original_url) == columns
    assert await contents(original_url, columns) == before


async def test_a_check_changes_nothing(release_url: str, release: str) -> None:
    columns = await columns_of(release_url)
    before = await contents(release_url, columns)
    outcome = await adopt(release_url, MASTER_KEY, check_only=True)
    assert outcome.ok, outcome.text
    assert f"the schema is that of release {release}" in outcome.text
    assert await columns_of(release_url) == columns
    assert await contents(release_url, columns) == before


async def test_two_adoptions_at_once_are_one(original_url: str) -> None:
    """The second waits for the first, and finds its work done."""
    outcomes = await asyncio.gather(adopt(original_url, MASTER_KEY), adopt(original_url, MASTER_KEY))
    assert [outcome.ok for outcome in outcomes] == [True, True]
    assert sorted("adopted already" in outcome.text for outcome in outcomes) == [False, True]
    assert await migrations.current(original_url) == await migrations.head(SCRIPT_LOCATION)


@pytest.mark.parametrize("reached", ["0001_baseline", "0002_own_additions"])
@pytest.mark.parametrize("finish", [lambda url: adopt(url, MASTER_KEY), migrate], ids=["adopt", "migrate"])
async def test_an_interrupted_adoption_is_finished_by_the_next(
    original_url: str, reached: str, finish: Any
) -> None:
    await migrations.stamp(original_url, SCRIPT_LOCATION, "0001_baseline")
    await migrations.upgrade(original_url, SCRIPT_LOCATION, reached)
    outcome = await finish(original_url)
    assert outcome.ok, outcome.text
    found = await contents(original_url, {"audit_log": ["subject_id"]})
    assert ("uživatel-sealed",) in found["audit_log"]
    assert await migrations.current(original_url) == await migrations.head(SCRIPT_LOCATION)


async def test_a_later_interruption_is_finished_too(original_url: str) -> None:
    await migrations.stamp(original_url, SCRIPT_LOCATION, "0001_baseline")
    await migrations.upgrade(original_url, SCRIPT_LOCATION, "0003_statement_key")
    outcome = await adopt(original_url, MASTER_KEY)
    assert (outcome.ok, "unfinished adoption is finished" in outcome.text) == (True, True)
    assert await migrations.current(original_url) == await migrations.head(SCRIPT_LOCATION)


async def test_additional_data_of_1_10_is_read(
    templates: dict[str, str], tmp_path: Path, original: Original
) -> None:
    activation_id = original.devices["sealed"].activation_id
    async with fresh_database("postgresql", tmp_path, template=templates["1.10"]) as url:
        assert (await adopt(url, MASTER_KEY)).ok
        database = Database(url)
        async with database.read() as session:
            activation = await session.get(Activation, activation_id)
        await database.dispose()
    assert activation is not None
    assert activation.additional_data == {"jti": "žeton"}


def test_the_rows_were_sealed_as_the_reference_seals() -> None:
    """The tests' own routine against values that the original computed."""
    vectors = [
        vector
        for vector in json.loads(VECTORS.read_text())["vectors"]
        if vector["output"].get("encryption_mode") == "AES_HMAC"
    ]
    assert len(vectors) > 10
    for vector in vectors:
        given = {
            name: base64.b64decode(given)
            for name, given in vector["input"].items()
            if name.endswith("_b64") and given
        }
        key, parts = given["master_db_encryption_key_b64"], vector["input"]["derivation_input"]
        sealed = seal(key, given["plaintext_b64"], *parts, iv=given["iv_b64"])
        assert sealed == vector["output"]["stored_value"], vector["id"]
        assert base64.b64encode(record_key(key, *parts)).decode() == vector["output"]["derived_key_b64"]
