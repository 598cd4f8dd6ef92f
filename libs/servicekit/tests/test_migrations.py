"""Alembic without an ini file, on both dialects."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from textwrap import dedent

import pytest
from sqlalchemy import text

from servicekit import migrations
from servicekit.database import Database, DatabaseUnavailable, normalised_url
from servicekit.schema_history import Schema, SchemaRefused
from servicekit.serving import free_port
from servicekit.testing import fresh_database

ENV = """
    from servicekit.migrations import run_migrations
    from sqlalchemy import MetaData

    run_migrations(MetaData())
"""

FIRST = """
    import sqlalchemy as sa
    from alembic import op

    revision = "0001"
    down_revision = None

    def upgrade():
        key = sa.Column("id", sa.Integer, primary_key=True)
        op.create_table("thing", key, sa.Column("name", sa.String(10)))
"""

SECOND = """
    import sqlalchemy as sa
    from alembic import op

    revision = "0002"
    down_revision = "0001"

    def upgrade():
        op.add_column("thing", sa.Column("color", sa.String(10)))
        op.execute("INSERT INTO thing (id, name) VALUES (1, 'once')")
"""

SLOWLY = """def upgrade():
    import time

    time.sleep(2)"""

BROKEN = """
    from alembic import op

    revision = "0003"
    down_revision = "0002"

    def upgrade():
        op.execute("DELETE FROM thing")
        op.execute("CREATE TABLE other (id INTEGER)")
        op.execute("SELECT * FROM nowhere")
"""


@pytest.fixture
def scripts(tmp_path: Path) -> Path:
    """A migrations folder with two revisions; its path holds what an ini file would interpolate."""
    folder = tmp_path / "100%(migrations)s"
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text(dedent(ENV))
    (folder / "versions" / "first.py").write_text(dedent(FIRST))
    (folder / "versions" / "second.py").write_text(dedent(SECOND))
    return folder


async def _rows(url: str, statement: str = "SELECT id, name, color FROM thing") -> list[tuple[object, ...]]:
    database = Database(url)
    async with database.read() as session:
        rows = [tuple(row) for row in await session.execute(text(statement))]
    await database.dispose()
    return rows


async def test_upgrade_goes_to_the_newest_revision(database_url: str, scripts: Path) -> None:
    assert await migrations.current(database_url) is None
    await migrations.upgrade(database_url, scripts)
    assert await migrations.current(database_url) == await migrations.head(scripts) == "0002"
    assert await _rows(database_url) == [(1, "once", None)]


async def test_upgrade_can_stop_at_a_revision_and_go_on(database_url: str, scripts: Path) -> None:
    await migrations.upgrade(database_url, scripts, "0001")
    assert await migrations.current(database_url) == "0001"
    await migrations.upgrade(database_url, scripts)
    await migrations.upgrade(database_url, scripts)
    assert await _rows(database_url) == [(1, "once", None)]


async def test_an_adopted_database_is_stamped_then_upgraded(database_url: str, scripts: Path) -> None:
    database = Database(database_url)
    async with database.transaction() as session:
        await session.execute(text("CREATE TABLE thing (id INTEGER PRIMARY KEY, name VARCHAR(10))"))
    await database.dispose()
    await migrations.stamp(database_url, scripts, "0001")
    await migrations.upgrade(database_url, scripts)
    assert await _rows(database_url) == [(1, "once", None)]


async def test_a_failed_revision_leaves_nothing_behind(database_url: str, scripts: Path) -> None:
    await migrations.upgrade(database_url, scripts)
    (scripts / "versions" / "broken.py").write_text(dedent(BROKEN))
    with pytest.raises(Exception, match="nowhere"):
        await migrations.upgrade(database_url, scripts)
    assert await migrations.current(database_url) == "0002"
    assert await _rows(database_url) == [(1, "once", None)]
    with pytest.raises(Exception, match="other"):
        await _rows(database_url, "SELECT * FROM other")


async def test_every_revision_commits_by_itself_where_a_lock_is_held_beside(
    database_url: str, scripts: Path
) -> None:
    (scripts / "versions" / "broken.py").write_text(dedent(BROKEN))
    with pytest.raises(Exception, match="nowhere"):
        await migrations.upgrade(database_url, scripts)
    on_postgresql = database_url.startswith("postgresql")
    assert await migrations.current(database_url) == ("0002" if on_postgresql else None)
    (scripts / "versions" / "broken.py").unlink()
    await migrations.upgrade(database_url, scripts)
    assert await _rows(database_url) == [(1, "once", None)]


async def test_who_looks_before_migrating_keeps_others_waiting(database_url: str, scripts: Path) -> None:
    async with migrations.exclusive(database_url, scripts) as migrator:
        assert await migrator.current() is None
        other = asyncio.create_task(migrations.upgrade(database_url, scripts))
        await migrator.upgrade("0001")
        assert await migrator.current() == "0001"
        assert not other.done()
    await other
    assert await migrations.current(database_url) == "0002"


async def test_replicas_starting_together_migrate_once(database_url: str, scripts: Path) -> None:
    """Real processes: in one process the runs queue anyway."""
    slow = (scripts / "versions" / "first.py").read_text().replace("def upgrade():", SLOWLY)
    (scripts / "versions" / "first.py").write_text(slow)
    code = (
        "import asyncio, sys; from servicekit import migrations;"
        "asyncio.run(migrations.upgrade(sys.argv[1], sys.argv[2]))"
    )
    replicas = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", code, database_url, str(scripts), stderr=asyncio.subprocess.PIPE
        )
        for _ in range(2)
    ]
    outcomes = await asyncio.gather(*(replica.communicate() for replica in replicas))
    assert [replica.returncode for replica in replicas] == [0, 0], outcomes
    assert await _rows(database_url) == [(1, "once", None)]


async def test_two_databases_can_be_migrated_at_the_same_time(
    database_url: str, tmp_path: Path, scripts: Path
) -> None:
    other = f"sqlite:///{tmp_path}/other.sqlite3"
    await asyncio.gather(migrations.upgrade(database_url, scripts), migrations.upgrade(other, scripts))
    assert await migrations.current(database_url) == await migrations.current(other) == "0002"


async def test_a_database_that_is_not_there_is_unavailable(scripts: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        await migrations.upgrade(f"postgresql://nobody@127.0.0.1:{free_port()}/x", scripts)


HISTORY = """
    from alembic import op
    from sqlalchemy import MetaData

    from servicekit.schema_history import schema_history_table

    revision = "0003"
    down_revision = "0002"

    def upgrade():
        schema_history_table(MetaData()).create(op.get_bind())
"""

CONTRACT = """
    revision = "0004"
    down_revision = "0003"
    contract = "nobody reads the column any more"
    minimum_release = "1.10.0"

    def upgrade():
        pass
"""


@pytest.fixture
def with_history(scripts: Path) -> Path:
    """The folder with a third revision, which makes the history."""
    (scripts / "versions" / "history.py").write_text(dedent(HISTORY))
    return scripts


def _needs(revision: str, release: str = "1.9.0") -> Schema:
    return Schema(revision, release, "powerauth db migrate")


async def _refusals(url: str, schema: Schema) -> list[str]:
    """What start and readiness say."""
    database, said = Database(url), []
    for ask in (schema.require, schema.confirm):
        try:
            await ask(database)
        except SchemaRefused as refusal:
            said.append(str(refusal))
    await database.dispose()
    return said


async def test_the_history_holds_every_revision_also_those_before_it(
    database_url: str, with_history: Path
) -> None:
    await migrations.upgrade(database_url, with_history, "0002")
    await migrations.upgrade(database_url, with_history)
    rows = await _rows(
        database_url, "SELECT revision, minimum_release FROM pa_schema_history ORDER BY revision"
    )
    assert rows == [("0001", None), ("0002", None), ("0003", None)]
    (with_history / "versions" / "contract.py").write_text(dedent(CONTRACT))
    await migrations.upgrade(database_url, with_history)
    newest = "SELECT revision, minimum_release FROM pa_schema_history WHERE revision > '0003'"
    assert await _rows(database_url, newest) == [("0004", "1.10.0")]


async def test_a_schema_serves_its_own_release_and_earlier_ones_until_it_takes_something_away(
    database_url: str, with_history: Path
) -> None:
    await migrations.upgrade(database_url, with_history)
    assert await _refusals(database_url, _needs("0002")) == []
    assert await _refusals(database_url, _needs("0003")) == []
    (start, readiness) = await _refusals(database_url, _needs("0004"))
    assert "\n" not in start
    assert all(word in start for word in ("older", "0004", "`powerauth db migrate`"))
    assert "0004" in readiness
    (with_history / "versions" / "contract.py").write_text(dedent(CONTRACT))
    await migrations.upgrade(database_url, with_history)
    for said in await _refusals(database_url, _needs("0003")):
        assert all(word in said for word in ("too new", "1.10.0", "1.9.0"))
    assert len(await _refusals(database_url, _needs("0003"))) == 2
    assert await _refusals(database_url, _needs("0004", "1.10.0")) == []


async def test_a_schema_before_the_history_is_too_old(database_url: str, scripts: Path) -> None:
    await migrations.upgrade(database_url, scripts)
    database = Database(database_url)
    with pytest.raises(SchemaRefused):
        await _needs("0002").require(database)
    await database.dispose()


async def test_a_server_that_only_reads_is_not_ready(tmp_path: Path, with_history: Path) -> None:
    async with fresh_database("postgresql", tmp_path) as url:
        await migrations.upgrade(url, with_history)
        database = Database(url)
        async with database.transaction() as session:
            name = normalised_url(url).database
            await session.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on'))
        await database.dispose()
        with pytest.raises(DatabaseUnavailable):
            await _needs("0003").confirm(database)
        await database.ping()
        await database.dispose()


async def test_looking_at_a_file_that_is_not_there_makes_none(tmp_path: Path) -> None:
    file = tmp_path / "none.sqlite3"
    assert await migrations.current(f"sqlite:///{file}") is None
    assert not await asyncio.to_thread(file.exists)


async def test_the_database_of_another_service_is_left_as_it_is(database_url: str, scripts: Path) -> None:
    await migrations.upgrade(database_url, scripts)
    for name in ("first", "second"):
        script = scripts / "versions" / f"{name}.py"
        script.write_text(script.read_text().replace('"00', '"other_00'))
    with pytest.raises(SchemaRefused, match="0002, which is none of this service"):
        await migrations.upgrade(database_url, scripts)
    assert await migrations.current(database_url) == "0002"
