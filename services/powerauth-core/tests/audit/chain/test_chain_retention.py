"""What retention drops can be told from what somebody removed (docs/audit.md)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from core_test_api import StartCore
from core_test_audit import Audit
from core_test_parts import chain_keys_of

from powerauth_core import jobs
from powerauth_core.audit import retention
from powerauth_core.container import Core
from powerauth_core.tamper_check import checkpoints, service
from servicekit import clock

if TYPE_CHECKING:
    from audit.chain.conftest import Chained


pytestmark = pytest.mark.dialects("sqlite", "postgresql")

LONG_AGO = timedelta(days=70)


WriteRows = Callable[[], Awaitable[list[int]]]


@pytest.fixture
def old_and_new(audit: Audit, chained: Chained, monkeypatch: pytest.MonkeyPatch) -> WriteRows:
    """Write five rows of a month that is over and two of this one: ids of the old ones."""

    async def write() -> list[int]:
        now, long_ago = clock.now, clock.now() - LONG_AGO
        await audit.execute("UPDATE pa_activation SET timestamp_created = :then", then=long_ago)
        with monkeypatch.context() as patch:
            patch.setattr(clock, "now", lambda: now() - LONG_AGO)
            ids: list[int] = await chained(5)
        await chained(2)
        return ids

    return write


@pytest.mark.parametrize("moved", [True, False])
async def test_what_retention_drops_is_no_finding(
    moved: bool, audit: Audit, old_and_new: WriteRows, start_core: StartCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a partition of its own, and row by row in steps."""
    monkeypatch.setattr(retention, "_CHAIN_BATCH", 2)
    core = await start_core(signature_audit_retention_months=1)
    await old_and_new()
    keys = chain_keys_of(core)
    before = checkpoints.load(keys, (await service.checkpoint(core.database, keys.current))[0])
    if moved:
        assert await jobs.run_job(core, "createAuditPartitions")
    assert await jobs.run_job(core, "applyAuditRetention")
    [[left]] = await audit.rows("SELECT count(*) FROM pa_signature_audit")
    assert left == 2
    found = await audit.verify(checkpoint=before)
    assert (found.findings, found.summary.chains, found.summary.rows) == ([], 2, 2)


async def test_a_chain_is_verifiable_between_two_steps_of_retention(
    audit: Audit, old_and_new: WriteRows, start_core: StartCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_CHAIN_BATCH", 2)
    core = await start_core(signature_audit_retention_months=1)
    ids = await old_and_new()
    steps = []
    anchor = retention._anchor

    async def interrupted(*arguments: Any) -> None:
        steps.append(arguments)
        if len(steps) == 2:
            raise ArithmeticError
        await anchor(*arguments)

    monkeypatch.setattr(retention, "_anchor", interrupted)
    with pytest.raises(ArithmeticError):
        await retention.apply_retention(core)
    found = await audit.verify()
    assert (found.findings, found.summary.rows) == ([], 5)
    await audit.execute("DELETE FROM pa_signature_audit WHERE id = :id", id=ids[2])
    assert (await audit.verify()).kinds == ["removed"]


async def test_a_changed_chain_stays_a_finding_after_retention(
    audit: Audit, old_and_new: WriteRows, start_core: StartCore
) -> None:
    core = await start_core(signature_audit_retention_months=1)
    await old_and_new()
    await audit.execute("UPDATE audit_chain SET position = 4 WHERE number = 1")
    await retention.apply_retention(core)
    assert set((await audit.verify()).kinds) == {"head changed"}


async def test_a_row_in_a_dropped_part_is_a_finding(
    audit: Audit, old_and_new: WriteRows, start_core: StartCore
) -> None:
    core = await start_core(signature_audit_retention_months=1)
    await old_and_new()
    await retention.apply_retention(core)
    await audit.execute(
        "UPDATE pa_signature_audit SET chain_position = 1,"
        " chain_id = (SELECT chain_id FROM audit_chain WHERE number = 1) WHERE chain_position = 2"
    )
    assert sorted((await audit.verify()).kinds) == ["inserted", "removed"]


async def test_without_a_setting_nothing_is_dropped(audit: Audit, old_and_new: WriteRows, core: Core) -> None:
    await old_and_new()
    assert await jobs.run_job(core, "applyAuditRetention")
    assert (await audit.verify()).summary.rows == 7
