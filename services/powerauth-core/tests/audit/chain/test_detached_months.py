"""Months that are taken out of their tables and put back, on PostgreSQL (docs/audit.md)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from core_test_api import StartCore
from core_test_audit import Audit
from core_test_parts import chain_keys_of

from powerauth_core import jobs
from powerauth_core.audit import archiving
from powerauth_core.audit.archiving import PartitionRefused
from powerauth_core.audit.partitions import partition_name
from powerauth_core.audit.rules import first_of_month
from powerauth_core.container import Core
from powerauth_core.tamper_check import checkpoints, service
from servicekit import clock

if TYPE_CHECKING:
    from audit.chain.conftest import Chained

pytestmark = pytest.mark.dialects("postgresql")

LONG_AGO = timedelta(days=70)
NAME = partition_name("pa_signature_audit", first_of_month(clock.now() - LONG_AGO))
WriteMonth = Callable[[], Awaitable[str]]


@pytest_asyncio.fixture
async def written_month(
    audit: Audit, chained: Chained, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[WriteMonth]:
    """Write five rows of a month that is over and two of this one: the name of the old one."""

    async def write() -> str:
        now, then = clock.now, clock.now() - LONG_AGO
        await audit.execute("UPDATE pa_activation SET timestamp_created = :then", then=then)
        with monkeypatch.context() as patch:
            patch.setattr(clock, "now", lambda: now() - LONG_AGO)
            await chained(5)
        await chained(2)
        assert await jobs.run_job(audit.core, "createAuditPartitions")
        return NAME

    yield write
    await audit.execute(f"DROP TABLE IF EXISTS {NAME}")  # the next test empties the tables, not this one


async def attached(core: Core) -> dict[str, bool]:
    return {month.name: month.attached for month in await archiving.months(core.database)}


async def counted(audit: Audit) -> int:
    [[rows]] = await audit.rows("SELECT count(*) FROM pa_signature_audit")
    return int(rows)


async def test_the_chains_are_proved_while_a_month_is_away_and_when_it_is_back(
    audit: Audit, core: Core, written_month: WriteMonth
) -> None:
    keys, name = chain_keys_of(core), await written_month()
    before = checkpoints.load(keys, (await service.checkpoint(core.database, keys.current))[0])
    assert (await attached(core))[name]
    await archiving.detach(core.database, keys, name)
    away = await audit.verify(checkpoint=before)
    assert (away.findings, away.summary.rows, await counted(audit)) == ([], 2, 2)
    assert not (await attached(core))[name]
    await archiving.attach(core.database, core.settings, name)
    back = await audit.verify(checkpoint=before)
    assert (back.findings, back.summary.rows, await counted(audit)) == ([], 7, 7)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("UPDATE {} SET note = 'signature_ok?' WHERE chain_position = 3", "changed"),
        ("DELETE FROM {} WHERE chain_position = 3", "removed"),
    ],
)
async def test_what_was_done_to_a_month_that_was_away_is_found(
    change: str, kind: str, audit: Audit, core: Core, written_month: WriteMonth
) -> None:
    name = await written_month()
    await archiving.detach(core.database, chain_keys_of(core), name)
    await audit.execute(change.format(name))
    await archiving.attach(core.database, core.settings, name)
    assert kind in (await audit.verify()).kinds


async def test_what_does_not_go_is_refused(audit: Audit, core: Core, written_month: WriteMonth) -> None:
    keys, name = chain_keys_of(core), await written_month()
    current = partition_name("pa_signature_audit", first_of_month(clock.now()))
    for wrong, reason in (
        (current, "is not over"),
        ("pa_signature_audit_default", "is no month"),
        ("pa_activation", "is no month"),
        ("pa_signature_audit_1999_01", "is not attached"),
    ):
        with pytest.raises(PartitionRefused, match=reason):
            await archiving.detach(core.database, keys, wrong)
    with pytest.raises(PartitionRefused, match="their key is needed"):
        await archiving.detach(core.database, None, name)
    with pytest.raises(PartitionRefused, match="is attached"):
        await archiving.attach(core.database, core.settings, name)
    await archiving.detach(core.database, keys, name)
    with pytest.raises(PartitionRefused, match="is not attached"):
        await archiving.detach(core.database, keys, name)
    short = core.settings.model_copy(update={"signature_audit_retention_months": 1})
    with pytest.raises(PartitionRefused, match="older than what is kept"):
        await archiving.attach(core.database, short, name)
    await audit.execute(f"UPDATE {name} SET timestamp_created = now()")
    with pytest.raises(PartitionRefused, match="partition constraint"):
        await archiving.attach(core.database, core.settings, name)
    await audit.execute(f"DELETE FROM {name} WHERE chain_position = 1")
    with pytest.raises(PartitionRefused, match="begins with position 2"):
        await archiving.attach(core.database, core.settings, name)


async def test_the_retention_detaches_where_it_shall_not_drop(
    audit: Audit, start_core: StartCore, written_month: WriteMonth
) -> None:
    core = await start_core(signature_audit_retention_months=1, audit_retention_mode="detach")
    name = await written_month()
    assert await jobs.run_job(core, "applyAuditRetention")
    assert not (await attached(core))[name]
    assert (await audit.verify()).findings == []
    [[kept]] = await audit.rows(f"SELECT count(*) FROM {name}")
    assert kept == 5
