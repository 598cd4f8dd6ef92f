"""Rows of others are not used (D32): what the MAC covers, who writes it, and what an unsound row is."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from core_test_api import Api, TestApplication
from core_test_rows import execute, found, unsound
from core_test_tokens import filled_tokens
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Integer, insert, select, text, update
from sqlalchemy.exc import IntegrityError

import powerauth_core
from powerauth_core.activations.models import BOUND_COLUMNS, Activation
from powerauth_core.applications.models import ApplicationConfig
from powerauth_core.audit.models import AuditLog
from powerauth_core.audit.row_alarms import TABLES as ALARMED
from powerauth_core.callbacks.models import CallbackUrl
from powerauth_core.container import Core
from powerauth_core.fido2 import statements as sign_in_statements
from powerauth_core.integrations.models import Integration
from powerauth_core.kernel.base import Base, EnumCode
from powerauth_core.secret_columns import BOUND_TABLES
from servicekit import metrics
from servicekit.master_keys import MasterKeys
from servicekit.row_macs import BoundRow, RowBinding, RowMacs, table_of
from servicekit.testing import PATIENCE_SECONDS

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

KEY, OTHER = bytes(range(16)), bytes(16)
CELLS = st.one_of(st.none(), st.text(max_size=5), st.integers(-5, 5))
ROWS = st.lists(CELLS, min_size=1, max_size=4).map(tuple)


@given(ROWS, ROWS)
def test_a_mac_fits_its_row_alone(one: tuple[Any, ...], two: tuple[Any, ...]) -> None:
    macs, others = RowMacs(MasterKeys(KEY)), RowMacs(MasterKeys(OTHER))
    mac = macs.mac("t", one)
    assert macs.fits("t", one, mac)
    assert macs.fits("t", two, mac) == (one == two)
    assert not macs.fits("u", one, mac)
    assert not others.fits("t", one, mac)


@pytest.mark.parametrize(
    ("key", "binding", "setting", "accepted"),
    [
        (KEY, RowBinding.COMPLETE, None, False),
        (KEY, RowBinding.FILLING, None, True),
        (KEY, RowBinding.OFF, None, True),
        (KEY, RowBinding.OFF, True, False),
        (KEY, RowBinding.COMPLETE, False, True),
        (None, RowBinding.OFF, True, True),
    ],
)
def test_a_row_without_a_mac_is_refused_once_rows_are_bound(
    key: bytes | None, binding: RowBinding, setting: bool | None, accepted: bool
) -> None:
    assert RowMacs(MasterKeys(key), binding, required=setting).fits("t", ("a",), None) is accepted


def test_what_a_later_release_adds_leaves_other_rows_alone() -> None:
    class Row(BoundRow):
        __tablename__ = "t"
        BOUND_COLUMNS = ("a",)
        a, b = "x", None

    class LaterRow(Row):
        LATER_COLUMNS = ("b",)

    added = LaterRow()
    assert added.bound_content() == Row().bound_content() == ("x",)
    added.b = "set"  # type: ignore[assignment]
    assert added.bound_content() == ("x", ("b", "set"))


def test_every_bound_table_is_known() -> None:
    models = {mapper.class_ for mapper in Base.registry.mappers if issubclass(mapper.class_, BoundRow)}
    assert models == set(BOUND_TABLES)
    assert set(ALARMED) == {table_of(table) for table in BOUND_TABLES}


def sources() -> Iterator[tuple[str, ast.AST]]:
    root = Path(powerauth_core.__file__).parent
    for file in root.rglob("*.py"):
        if "migrations" not in file.parts:
            yield str(file.relative_to(root)), ast.parse(file.read_text())


def test_statements_past_the_mapper_are_known() -> None:
    """Those of batches, which renew the MAC, and passkeys' sign-ins, which change nothing bound; nobody else
    writes bound rows in SQL.
    """
    names = "|".join(table_of(table) for table in BOUND_TABLES)
    written = re.compile(rf"\b(UPDATE|INSERT\s+INTO|MERGE\s+INTO)\s+({names})\b", re.I)
    writers = set()
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and written.search(node.value):
                writers.add(name)
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ("update", "insert"):
                target = ast.unparse(node.args[0])
                if target in {"_ACTIVATION", *(f"{table.__name__}.__table__" for table in BOUND_TABLES)}:
                    writers.add(name)
    statements = {f"{room}/statements.py" for room in ("activations", "verification", "fido2")}
    assert writers == {*statements, "verification/locking.py"}
    sign_ins = Path(sign_in_statements.__file__).read_text()
    (changed,) = re.findall(r"UPDATE pa_activation a\s+SET (.*?)\s+FROM", sign_ins, re.S)
    assert set(re.findall(r"(\w+) = ", changed)).isdisjoint(BOUND_COLUMNS)


async def test_statements_through_the_mapper_write_no_bound_column(core: Core) -> None:
    async with core.database.transaction() as session:
        await session.execute(update(Activation).values(failed_attempts=1))
        for statement in (
            update(Activation).values(user_id="mallory"),
            update(CallbackUrl).values(row_mac=None),
            update(Integration),
            insert(ApplicationConfig).values(config_key="a"),
        ):
            with pytest.raises(TypeError):
                await session.execute(statement)


@pytest_asyncio.fixture
async def filled(api: Api, core: Core, application: TestApplication) -> str:
    """A row in every bound table; the application's id."""
    bank: str = application.application_id
    await api.ok("application/config/create", applicationId=bank, key="oauth2_providers", values=[{"a": 1}])
    await api.ok(
        "application/callback/create",
        applicationId=bank,
        name="n",
        type="OPERATION_STATUS_CHANGE",
        callbackUrl="https://bank.example/",
        authentication={"httpBasic": {"enabled": True, "username": "u", "password": "p"}},
    )
    await api.ok("activation/init", userId="alice", applicationId=bank)
    await filled_tokens(core, bank)
    return bank


def other_values(table: type[BoundRow], column: str, stored: Any) -> set[Any]:
    """What somebody might write instead; a code that is unknown reads as a known one, so known ones count."""
    kind = Base.metadata.tables[table_of(table)].c[column].type
    if isinstance(kind, EnumCode):
        return {member.code for member in kind.enum} - {stored}
    return {77 if isinstance(kind, Integer) else column}


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("table", BOUND_TABLES, ids=table_of)
async def test_a_change_of_any_bound_column_is_noticed(core: Core, table: type[BoundRow]) -> None:
    name, refused = table_of(table), set()
    assert await unsound(core) == set()
    async with core.database.transaction() as session:
        for column in table.BOUND_COLUMNS:
            [stored] = await session.scalars(text(f"SELECT {column} FROM {name}"))
            for value in other_values(table, column, stored):
                savepoint = await session.begin_nested()
                try:
                    await session.execute(text(f"UPDATE {name} SET {column} = :value"), {"value": value})
                    assert await unsound(core, session) == {name}, column
                except IntegrityError:
                    refused.add(column)
                await savepoint.rollback()
    assert refused <= {"activation_id", "application_id"}, "foreign keys"


async def test_configuration_of_others_is_not_used_and_can_be_replaced(
    api: Api, core: Core, filled: str
) -> None:
    await execute(core, text("UPDATE pa_application_config SET row_mac = NULL"))
    detail = {"applicationId": filled}
    assert await api.error("application/config/detail", **detail) == "ERR0010"
    created = {"applicationId": filled, "key": "oauth2_providers", "values": [{"b": 2}]}
    await api.ok("application/config/create", **created)
    assert (await api.ok("application/config/detail", **detail))["applicationConfigs"][0]["values"] == [
        {"b": 2}
    ]
    assert await unsound(core) == set()


async def test_a_callback_of_others_is_shown_without_secrets_never_called_and_can_be_removed(
    api: Api, core: Core, filled: str
) -> None:
    await execute(core, text("UPDATE pa_application_callback SET callback_url = 'https://evil.example/'"))
    [shown] = (await api.ok("application/callback/list", applicationId=filled))["callbackUrlList"]
    assert shown["authentication"]["httpBasic"]["passwordSet"] is False
    changed = {
        "id": shown["id"],
        "applicationId": filled,
        "name": "n",
        "type": "OPERATION_STATUS_CHANGE",
        "callbackUrl": "https://bank.example/",
    }
    kept = {"httpBasic": {"enabled": True, "username": "u"}}
    assert await api.error("application/callback/update", **changed, authentication=kept) == "ERR0010"
    assert await api.error("application/callback/update", **changed, authentication=None) == "ERR0010"
    assert (await api.ok("application/callback/remove", id=shown["id"]))["removed"] is True


async def test_a_callback_that_is_removed_while_it_is_changed_stays_sound(
    api: Api, core: Core, filled: str
) -> None:
    [shown] = (await api.ok("application/callback/list", applicationId=filled))["callbackUrlList"]
    changed = {
        "id": shown["id"],
        "applicationId": filled,
        "name": "n",
        "type": "OPERATION_STATUS_CHANGE",
        "callbackUrl": "https://other.example/",
    }
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(
            *[api.post("application/callback/update", **changed) for _ in range(4)],
            api.ok("application/callback/remove", id=shown["id"]),
        )
    assert await unsound(core) == set()


async def test_an_unsound_row_is_counted_logged_and_audited_once_an_hour(
    core: Core, filled: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def counted() -> float:
        return (
            metrics.REGISTRY.get_sample_value("powerauth_unsound_rows_total", {"table": "pa_activation"}) or 0
        )

    await execute(core, text("UPDATE pa_activation SET user_id = 'mallory'"))
    before = counted()
    for _ in range(2):
        [row] = await found(core, select(Activation))
    await core.row_alarms.stop()
    assert counted() == before + 2
    [record] = await found(core, select(AuditLog).where(AuditLog.audit_type == "integrity"))
    assert (record.audit_level, row.activation_id in (record.param or "")) == ("ERROR", True)
    assert capsys.readouterr().out.count("unsound_row") == 1
