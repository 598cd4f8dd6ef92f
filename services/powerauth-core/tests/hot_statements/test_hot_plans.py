"""What hot statements cost does not grow with what is stored: every one of them is index probes (design §8).

A room adds its statements to `HOT`. Each is planned on full tables, for its arguments and for any: the server
takes either plan, as it likes. A new `Read` that is not listed fails.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncGenerator, Iterator
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
import pytest_asyncio
from core_test_shards import LOCAL, REFERENCE, SPREAD, crossings, tables_of
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from powerauth_core.activations import reads as activations
from powerauth_core.activations import statements as changed_activations
from powerauth_core.envelopes import spending
from powerauth_core.exchange import statements as exchange
from powerauth_core.fido2 import statements as sign_ins
from powerauth_core.operations import reads as operations
from powerauth_core.operations import statements as changed_operations
from powerauth_core.passkey_administration import reads as figures
from powerauth_core.passkey_records import reads as passkeys
from powerauth_core.schema import metadata
from powerauth_core.temporary_keys import memory as temporary_keys
from powerauth_core.tokens import postgresql as tokens
from powerauth_core.verification import statements as checks
from servicekit.additions import Additions
from servicekit.database import Database
from servicekit.reads import Read
from servicekit.testing import TemplateOf, fresh_database

PAGE = 100
"""Rows that a statement may sort, and that a table may have that is read as a whole."""

NOW = "2026-03-01 12:00:00"
IDS = "{id-7,id-8,unknown}"
BUSY, USUAL = "busy", "user-7"
"""A user with a fifth of all operations, and one like all others."""


class Hot(NamedTuple):
    """A statement, and what it is asked.

    :ivar values: arguments; lists as JSON, arrays in PostgreSQL's form
    """

    name: str
    sql: str
    values: tuple[Any, ...]


READS: dict[str, tuple[Read, list[tuple[Any, ...]]]] = {
    "activation": (activations.FIND, [("id-7",)]),
    "activation that changes": (changed_activations.FIND, [("id-7",)]),
    "activation that waits": (exchange.WAITING, [("code-7", 1, NOW, "id-7", True)]),
    "temporary key": (temporary_keys.FIND, [("id-7",)]),
    "activations of a user": (
        activations.PAGE_OF_USER,
        [(USUAL, None, None, 100, 0), (USUAL, ["app-1"], [3, 4], 100, 0)],
    ),
    "passkeys of a user": (passkeys.OF_USER, [(USUAL, None), (USUAL, ["app-1"])]),
    "passkey of a credential": (passkeys.BY_CREDENTIAL, [("credential-7", ["app-1", "app-2"])]),
    "passkey and its operation": (sign_ins.FIND, [("credential-7", ["app-1"], "id-7")]),
    "passkeys of some users": (figures.PASSKEYS, [("app-1", [USUAL, "user-8"])]),
    "users with a phone": (figures.WITH_PHONE, [("app-1", [USUAL, "user-8"])]),
    "passkeys of an application": (passkeys.BATCH_OF_APPLICATION, [("app-1", "credential-7", 100)]),
    "operation": (operations.FIND, [("id-7", None), ("id-7", ["app-1"])]),
    "operations of a user": (
        operations.PAGE_OF_USER,
        [(user, [1, 2], "id-7", ["FLAG"], 100, 0) for user in (BUSY, USUAL)],
    ),
    "pending operations of a user": (
        operations.PENDING_OF_USER,
        [(user, [1], None, None, NOW, 100, 0) for user in (BUSY, USUAL)],
    ),
    "pending operations for a phone": (
        operations.SHOWN_TO_ACTIVATION,
        [(user, 1, "id-7", ["FLAG"], NOW) for user in (BUSY, USUAL)],
    ),
    "operations by external id": (operations.PAGE_OF_EXTERNAL_ID, [("external-7", [1], 100, 0)]),
}


def nothing_more() -> Additions:
    """What writes of an activation add, which no plan depends on."""
    additions = Additions(cast(Database, None))
    additions.add(temporary_keys.NEW, ())
    return additions


def limited_creation() -> Hot:
    """New operations of users who are not asked too often."""
    additions = Additions(cast(Database, None), changed_operations.ADMITTED)
    additions.add(changed_operations.NEW_LINKS, (1, "id-new"))
    parts, returned, values = additions.parts(2)
    rows = [["id-new", user, [1, 2], 3, 5, NOW, NOW] for user in (BUSY, USUAL)]
    return Hot(
        "limited operations, written",
        changed_operations.admitting(parts, returned),
        (json.dumps(rows), *values),
    )


APPROVAL = changed_operations.update(checks.FIRST_FREE, checks.MOVED)
APPROVED = checks.read_with(changed_operations.selected("q.record_id"), changed_operations.SELECTED_COLUMNS)
NOTHING_LEFT = ("[]", "[]", NOW, *(None,) * (checks.FIRST_FREE - 4))
HOT = [
    Hot("activations of checks, read", checks.READ, (IDS,)),
    Hot("activations of checks, locked", checks.LOCK, (IDS,)),
    Hot("activations of checks, those that are free", checks.LOCK_FREE_ONES, (IDS,)),
    Hot("checks, written", checks.leave_behind(), NOTHING_LEFT),
    limited_creation(),
    Hot("activations and operations of approvals, read", APPROVED, (IDS, IDS)),
    Hot("approvals, written", checks.leave_behind((APPROVAL,)), (*NOTHING_LEFT, "[]")),
    Hot("activations, written", *changed_activations.write([], [], [], nothing_more(), 100)),
    Hot("sign-ins, written", *sign_ins.write([], [], nothing_more())),
    Hot("secrets of tokens", tokens.SECRETS, (IDS,)),
    Hot("tokens", tokens.CHECK, (json.dumps([["id-7", "c", "value", NOW, None]]), 1, 3, "powerauth")),
    Hot("envelopes", spending.SPEND, (json.dumps([["id-7", "value", 1, NOW]]), NOW)),
]


def statements() -> Iterator[Hot]:
    """What is planned: a read alone and together with others."""
    yield from HOT
    for name, (read, asked) in READS.items():
        for values in asked:
            yield Hot(f"{name}, alone", read.alone, values)
        yield Hot(f"{name}, together", read.together, (json.dumps(asked),))


# Nothing but what statements look for, without the rows that these refer to.
FILL = f"""
SET session_replication_role = replica;
INSERT INTO pa_application (id, name) SELECT n, 'app-' || n FROM generate_series(1, 3) n;
INSERT INTO pa_activation (activation_id, application_id, user_id, activation_code, activation_status,
    counter, failed_attempts, server_private_key_base64, server_public_key_base64,
    timestamp_activation_expire, timestamp_created, timestamp_last_used)
  SELECT 'id-' || n, 1, 'user-' || n % 20000, 'code-' || n, 3, 0, 0, 'a', 'b', m, m, m
  FROM generate_series(1, 40000) n, LATERAL (SELECT timestamp '{NOW}' - n * interval '1 min') AS t(m);
INSERT INTO pa_activation (activation_id, application_id, user_id, external_id, protocol, activation_status,
    counter, failed_attempts, server_private_key_base64, server_public_key_base64,
    timestamp_activation_expire, timestamp_created, timestamp_last_used)
  SELECT 'passkey-' || n, 1, 'user-' || n % 20000, 'credential-' || n, 'fido2', 3, 0, 0, 'a', 'b', m, m, m
  FROM generate_series(1, 20000) n, LATERAL (SELECT timestamp '{NOW}' - n * interval '1 min') AS t(m);
INSERT INTO pa_operation (id, user_id, external_id, operation_type, data, status, signature_type,
    failure_count, max_failure_count, timestamp_created, timestamp_expires)
  SELECT 'id-' || n, CASE WHEN n % 5 = 0 THEN '{BUSY}' ELSE 'user-' || n % 20000 END, 'external-' || n,
    'payment', 'A2', CASE WHEN n % 100 = 0 THEN 1 ELSE 4 END, 'possession', 0, 5, m, m + interval '5 min'
  FROM generate_series(1, 40000) n, LATERAL (SELECT timestamp '{NOW}' - n * interval '1 min') AS t(m);
INSERT INTO pa_operation_application (application_id, operation_id)
  SELECT 1, 'id-' || n FROM generate_series(1, 40000) n;
INSERT INTO pa_token (token_id, token_secret, activation_id, signature_type, timestamp_created)
  SELECT 'id-' || n, 'c', 'id-' || n, 'POSSESSION', timestamp '{NOW}' FROM generate_series(1, 40000) n;
INSERT INTO pa_temporary_key (id, application_key, activation_id, private_key_base64, public_key_base64,
    timestamp_expires)
  SELECT 'id-' || n, 'key', 'id-' || n, 'a', 'b', timestamp '{NOW}' FROM generate_series(1, 40000) n;
INSERT INTO pa_unique_value (unique_value, type, timestamp_expires)
  SELECT 'value-' || n, 1, timestamp '{NOW}' FROM generate_series(1, 40000) n;
ANALYZE
"""


@pytest_asyncio.fixture(scope="module")
async def full(template_of: TemplateOf, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Database]:
    """A database with many rows."""
    template = await template_of("postgresql")
    folder: Path = tmp_path_factory.mktemp("full")
    async with fresh_database("postgresql", folder, template=template) as url:
        database = Database(url)
        async with database.engine.connect() as connection:
            await connection.execution_options(isolation_level="AUTOCOMMIT")
            for statement in FILL.split(";"):
                await connection.execute(text(statement))
        yield database
        await database.dispose()


async def plans(connection: AsyncConnection, hot: Hot) -> list[dict[str, Any]]:
    """The plan for any arguments and the one for these."""
    name = f"hot_{next(_NUMBERS)}"
    await connection.exec_driver_sql(f"PREPARE {name} AS {hot.sql}")
    query = f"SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = '{name}'"
    parameters = (await connection.exec_driver_sql(query)).scalar_one()
    values = ", ".join([literal(value) for value in hot.values[:parameters]])
    found = []
    for mode in ("generic", "custom"):
        await connection.exec_driver_sql(f"SET plan_cache_mode = force_{mode}_plan")
        explained = await connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) EXECUTE {name}({values})")
        found.append(explained.scalar_one()[0]["Plan"])
    return found


_NUMBERS = count()


def literal(value: Any) -> str:
    if value is None:
        return "NULL"
    written = json.dumps(value) if isinstance(value, list) else str(value)
    return "'" + written.replace("'", "''") + "'"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def faults(plan: dict[str, Any], large: set[str]) -> list[str]:
    """What makes a statement cost more the more is stored."""
    found = []
    for node in nodes(plan):
        if node["Node Type"] in ("Seq Scan", "Bitmap Index Scan") and node.get("Relation Name") in large:
            found.append(f"{node['Node Type']} of {node['Relation Name']}")
        if node["Node Type"] == "Sort" and node["Plan Rows"] > PAGE:
            found.append(f"Sort of {node['Plan Rows']} rows by {node['Sort Key']}")
    return found


@pytest.mark.parametrize("hot", list(statements()), ids=lambda hot: hot.name)
async def test_hot_statements_probe_indexes(full: Database, hot: Hot) -> None:
    async with full.engine.connect() as connection:
        query = f"SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND reltuples > {PAGE}"
        large = set((await connection.exec_driver_sql(query)).scalars())
        assert {"pa_activation", "pa_operation", "pa_token"} <= large
        for plan in await plans(connection, hot):
            assert faults(plan, large) == []


@pytest.mark.parametrize("hot", list(statements()), ids=lambda hot: hot.name)
def test_what_is_asked_for_each_row_is_looked_up_for_each_row(hot: Hot) -> None:
    """A plain EXISTS may become a join, or a table of all, where statistics are older than the rows."""
    asked = re.findall(r"\bEXISTS \(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)", hot.sql)
    assert len(asked) == len(re.findall(r"\bEXISTS \(", hot.sql))
    assert [part for part in asked if "pa_" in part and "OFFSET 0" not in part] == []


def test_every_read_is_listed() -> None:
    listed = {id(read) for read, _ in READS.values()}
    modules = [module for name, module in sys.modules.items() if name.startswith("powerauth_core.")]
    found = {f"{module.__name__}.{name}": value for module in modules for name, value in vars(module).items()}
    reads = {name: value for name, value in found.items() if isinstance(value, Read)}
    assert reads
    assert [name for name, read in reads.items() if id(read) not in listed] == []


BY_USER = {"all shards of pa_operation", "all shards of pa_operation_application"}
CROSSING = {
    "activation that waits": {"all shards of pa_activation", "asks activation, temporary key"},
    "activations and operations of approvals, read": {"asks activation, operation"},
    "activations of a user": {"all shards of pa_activation"},
    "activations, written": {"all shards of pa_activation", "writes activation, temporary key, value"},
    "approvals, written": {"writes activation, chain, log, operation"},
    "checks, written": {"writes activation, chain, log"},
    "envelopes": {"asks temporary key, value"},
    "limited operations, written": BY_USER | {"writes operation, user"},
    "operations by external id": BY_USER,
    "operations of a user": BY_USER,
    "pending operations for a phone": BY_USER,
    "passkey and its operation": {"all shards of pa_activation", "asks activation, operation"},
    "passkey of a credential": {"all shards of pa_activation"},
    "passkeys of a user": {"all shards of pa_activation"},
    "passkeys of some users": {"all shards of pa_activation"},
    "users with a phone": {"all shards of pa_activation"},
    "passkeys of an application": {"all shards of pa_activation"},
    "pending operations of a user": BY_USER,
    "sign-ins, written": {"writes activation, operation, temporary key"},
    "secrets of tokens": {"all shards of pa_token"},
    "tokens": {"all shards of pa_activation", "all shards of pa_token", "asks activation, value"},
}
"""What would have to change before the database is spread: docs/scale.md has a row for each."""


@pytest.mark.parametrize(
    ("name", "sql"),
    [(hot.name, hot.sql) for hot in HOT] + [(name, read.alone) for name, (read, _) in READS.items()],
)
def test_only_known_statements_cross_shards(name: str, sql: str) -> None:
    assert tables_of(sql)
    assert crossings(sql) == CROSSING.get(name, set())


def test_every_crossing_is_explained() -> None:
    document = (Path(__file__).parents[4] / "docs" / "scale.md").read_text(encoding="utf-8")
    assert [name for name in CROSSING if f"| {name} |" not in document] == []
    assert set(CROSSING) <= {hot.name for hot in HOT} | set(READS)
    asks_all = sum(any(each.startswith("all shards") for each in found) for found in CROSSING.values())
    every, by_key = len(HOT) + len(READS), len(CROSSING) - asks_all
    counted = f"Of {every} hot statements {every - len(CROSSING)} stay on one shard, {by_key} ask several"
    assert f"{counted} places by key, {asks_all} ask all shards." in document


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT 1 FROM pa_token WHERE activation_id = $1", set()),
        ("SELECT 1 FROM pa_token WHERE token_id = $1", {"all shards of pa_token"}),
        (
            "SELECT 1 FROM pa_token t JOIN pa_activation a ON a.activation_id = t.activation_id"
            " WHERE a.activation_id = ANY($1)",
            set(),
        ),
        (
            "SELECT 1 FROM pa_activation a, pa_operation o WHERE a.activation_id = $1 AND o.id = $2",
            {"asks activation, operation"},
        ),
        ("INSERT INTO pa_token (token_id) VALUES ($1)", {"all shards of pa_token"}),
        ("UPDATE pa_activation a SET counter = 1 WHERE a.activation_id = $1", set()),
    ],
)
def test_what_crosses_is_seen(sql: str, found: set[str]) -> None:
    assert crossings(sql) == found


def test_every_table_has_a_place() -> None:
    assert sorted([*SPREAD, *REFERENCE, *LOCAL]) == sorted(metadata.tables)
    for table, place in SPREAD.items():
        assert place.column in metadata.tables[table].columns
