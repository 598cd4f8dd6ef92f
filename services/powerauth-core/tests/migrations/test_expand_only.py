"""Revisions expand: the previous release goes on working on the newest schema (docs/migrations.md)."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import (
    Column,
    Connection,
    LargeBinary,
    MetaData,
    Table,
    and_,
    delete,
    insert,
    inspect,
    select,
    types,
    update,
)
from sqlalchemy import text as sql

from powerauth_core import migrations as package
from powerauth_core.migrations import BASELINE, SCRIPT_LOCATION
from servicekit import migrations
from servicekit.database import Database, Dialect
from servicekit.testing import fresh_database

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

STATEMENTS = Path(__file__).with_name("statements")
VERSIONS = Path(package.__file__).parent / "versions"
REVISIONS = sorted(path.stem for path in VERSIONS.glob("[0-9]*.py"))
EARLIER = REVISIONS[:-1]
REBUILT = {
    # Its tables come back under their names with all their columns; the statements below run on them.
    "0005_audit_partitions": {
        "drops or empties something by a statement",
        "makes a column NOT NULL by a statement",
        "renames something by a statement",
    }
}
"""What revisions do that rebuild a table in its place, looked at one by one."""

_DROPS = {"drop_table", "drop_column", "drop_constraint"}
_STATEMENTS = {
    r"\b(DROP|TRUNCATE|DELETE)\b": "drops or empties something by a statement",
    r"\bRENAME\b": "renames something by a statement",
    r"\bSET NOT NULL\b": "makes a column NOT NULL by a statement",
    r"\bALTER COLUMN \S+ (SET DATA )?TYPE\b": "changes a type by a statement",
}


def breaks(source: str) -> set[str]:
    """What a revision does that the previous release could stumble over; nothing for a marked one."""
    tree = ast.parse(source)
    if _assigns(tree, "contract"):
        return set() if _assigns(tree, "minimum_release") else {"names no release that it leaves behind"}
    body = [
        node for node in tree.body if not (isinstance(node, ast.FunctionDef) and node.name == "downgrade")
    ]
    return {found for node in body for found in _breaks_in(node)}


def _assigns(tree: ast.Module, name: str) -> bool:
    """Whether the revision gives a name a constant that is not empty."""
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    return any(
        isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == name
        and isinstance(node.value, ast.Constant)
        and bool(node.value.value)
        for node in assigned
    )


def _breaks_in(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield from _breaks_of_call(node, node.func.attr)
        if isinstance(node, ast.Constant | ast.JoinedStr):
            words = _words(node)
            # Prose has no upper-case keywords: docstrings are let through.
            yield from (reason for pattern, reason in _STATEMENTS.items() if re.search(pattern, words))


def _breaks_of_call(call: ast.Call, name: str) -> Iterator[str]:
    keywords = {keyword.arg: keyword.value for keyword in call.keywords}
    if name in _DROPS:
        yield name
    if name == "rename_table" or "new_column_name" in keywords:
        yield "renames a table or column"
    if name == "add_column":
        column = call.args[-1]
        if isinstance(column, ast.Call) and _required(column):
            yield "adds a NOT NULL column without a default"
    if name == "alter_column":
        kept = {"server_default", "existing_server_default"} & set(keywords)
        if _is(keywords.get("nullable"), False) and not kept:
            yield "makes a column NOT NULL that has no default"
        if "type_" in keywords and not _wider(keywords["type_"], keywords.get("existing_type")):
            yield "changes a type to one that is not wider"


def _required(column: ast.Call) -> bool:
    keywords = {keyword.arg: keyword.value for keyword in column.keywords}
    return _is(keywords.get("nullable"), False) and "server_default" not in keywords


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _wider(new: ast.expr, old: ast.expr | None) -> bool:
    def length(node: ast.expr | None) -> int:
        found = re.fullmatch(r"sa\.String\(([0-9]+)\)", ast.unparse(node)) if node is not None else None
        return int(found[1]) if found else 0

    return length(new) > length(old) > 0


def _words(node: ast.Constant | ast.JoinedStr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values)


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_revision_expands_or_is_marked(revision: str) -> None:
    assert breaks((VERSIONS / f"{revision}.py").read_text()) == REBUILT.get(revision, set())


@pytest.mark.parametrize(
    "operation",
    [
        'op.drop_table("t")',
        'op.drop_column("t", "c")',
        'op.rename_table("t", "u")',
        'op.alter_column("t", "c", new_column_name="d")',
        'op.alter_column("t", "c", nullable=False)',
        'op.alter_column("t", "c", type_=sa.String(10), existing_type=sa.String(20))',
        'op.alter_column("t", "c", type_=sa.Integer())',
        'op.add_column("t", sa.Column("c", sa.Integer(), nullable=False))',
        'op.execute("ALTER TABLE t DROP COLUMN c")',
        'op.execute(f"ALTER TABLE {name} RENAME COLUMN c TO d")',
        'op.execute("ALTER TABLE t ALTER COLUMN c SET NOT NULL")',
        'op.execute("ALTER TABLE t ALTER COLUMN c TYPE INTEGER")',
        'op.execute("DELETE FROM t")',
    ],
)
def test_what_does_not_expand_is_refused_outside_a_marked_revision(operation: str) -> None:
    source = f"def upgrade():\n    {operation}\n"
    assert breaks(source)
    marked = f'contract = "no release uses it"\n{source}'
    assert not breaks(f'minimum_release = "1.2.0"\n{marked}')
    assert breaks(marked)
    assert breaks(f'minimum_release = "1.2.0"\ncontract = ""\n{source}')
    assert not breaks(source.replace("upgrade", "downgrade"))


@pytest.mark.parametrize(
    "operation",
    [
        'op.add_column("t", sa.Column("c", sa.Integer()))',
        'op.add_column("t", sa.Column("c", sa.Integer(), nullable=False, server_default="0"))',
        'op.alter_column("t", "c", type_=sa.String(20), existing_type=sa.String(10))',
        'op.alter_column("t", "c", nullable=False, existing_server_default=sa.func.now())',
        'op.create_table("t", sa.Column("c", sa.Integer(), nullable=False))',
        'op.create_index("i", "t", ["c"])',
        'op.execute("UPDATE t SET c = 1")',
    ],
)
def test_what_expands_is_let_through(operation: str) -> None:
    assert not breaks(f"def upgrade():\n    {operation}\n")


@dataclass(frozen=True)
class Known:
    """The newest schema, and what each earlier revision knew of it."""

    url: str
    at: dict[str, MetaData]


@pytest_asyncio.fixture(scope="module")
async def known(dialect: Dialect, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Known]:
    """A database taken through all revisions, looked at after each."""
    async with fresh_database(dialect, tmp_path_factory.mktemp("revisions")) as url:
        at = {}
        for revision in REVISIONS:
            await migrations.upgrade(url, SCRIPT_LOCATION, revision)
            database = Database(url)
            async with database.engine.connect() as connection:
                at[revision] = await connection.run_sync(_reflect)
            await database.dispose()
        yield Known(url, at)


def _reflect(connection: Connection) -> MetaData:
    """Tables and columns as they are; partitions are left out, nobody names them."""
    query = "SELECT relname FROM pg_class WHERE relispartition AND relkind IN ('r', 'p')"
    partitions = (
        set(connection.execute(sql(query)).scalars()) if connection.dialect.name == "postgresql" else set()
    )
    metadata = MetaData()
    names = set(inspect(connection).get_table_names()) - partitions - {"alembic_version"}
    metadata.reflect(connection, only=list(names))
    return metadata


def _sample(column: Column[Any]) -> Any:
    """The same value for the same type, so that references meet."""
    kinds: tuple[tuple[type[types.TypeEngine[Any]], Any], ...] = (
        (types.Boolean, True),
        (types.DateTime, datetime(2024, 1, 31, 12)),
        (types.Date, date(2024, 1, 31)),
        (types.Integer, 1),
        (LargeBinary, b"x"),
        (types.String, "a"),
    )
    return next(value for kind, value in kinds if isinstance(column.type, kind))


def _must_be_written(column: Column[Any]) -> bool:
    required = not column.nullable and column.server_default is None
    # Without a key a row is found again by all of its columns.
    return required or column.primary_key or not column.table.primary_key.columns


def _row(table: Table) -> Any:
    keys = list(table.primary_key.columns) or list(table.columns)
    return and_(*(column == _sample(column) for column in keys))


@pytest.mark.parametrize("revision", EARLIER)
async def test_statements_of_an_earlier_revision_run_on_the_newest_schema(
    known: Known, revision: str
) -> None:
    """Written, read, changed and deleted with the columns of then; once all of them, once the fewest."""
    tables = known.at[revision].sorted_tables
    assert len(tables) >= 23
    database = Database(known.url)
    async with database.engine.connect() as connection:
        for choose in (lambda column: True, _must_be_written):
            for table in tables:
                values = {column.name: _sample(column) for column in table.columns if choose(column)}
                await connection.execute(insert(table).values(values))
            for table in tables:
                (row,) = (await connection.execute(select(table).where(_row(table)))).all()
                assert len(row) == len(table.columns)
                changed = {column.name: _sample(column) for column in table.columns if not column.primary_key}
                if changed:
                    written = await connection.execute(update(table).where(_row(table)).values(changed))
                    assert written.rowcount == 1
            for table in reversed(tables):
                assert (await connection.execute(delete(table).where(_row(table)))).rowcount == 1
        await connection.rollback()
    await database.dispose()


@pytest.mark.parametrize("revision", EARLIER)
async def test_nothing_that_an_earlier_revision_knew_is_gone(known: Known, revision: str) -> None:
    newest = known.at[REVISIONS[-1]].tables
    for name, table in known.at[revision].tables.items():
        assert {column.name for column in table.columns} <= {column.name for column in newest[name].columns}


@pytest.mark.parametrize("revision", [path.stem for path in sorted(STATEMENTS.glob("*.sql"))])
async def test_frozen_statements_of_an_earlier_release_can_be_planned(
    known: Known, dialect: Dialect, revision: str
) -> None:
    """Tables, columns, types and the unique indexes that conflicts are resolved by are what they were."""
    assert revision in EARLIER
    if dialect == "sqlite":
        return
    lines = (STATEMENTS / f"{revision}.sql").read_text().splitlines()
    statements = [line for line in lines if line and not line.startswith("--")]
    assert len(statements) > 20
    database = Database(known.url)
    async with database.driver() as driver:
        for statement in statements:
            parameters = max((int(number) for number in re.findall(r"\$([0-9]+)", statement)), default=0)
            values = f"({', '.join(['NULL'] * parameters)})" if parameters else ""
            await driver.execute(f"PREPARE frozen AS {statement}")
            await driver.execute(f"EXPLAIN EXECUTE frozen{values}")
            await driver.execute("DEALLOCATE frozen")
    await database.dispose()


def test_the_baseline_is_the_first_revision() -> None:
    assert REVISIONS[0] == BASELINE
