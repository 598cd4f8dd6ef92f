"""The scheduled jobs (spec/core-api.md §30)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from core_test_api import StartCore
from sqlalchemy import select

from powerauth_core import jobs
from powerauth_core.container import Core
from powerauth_core.kernel.enums import UniqueValueType
from powerauth_core.replay.models import UniqueValue
from servicekit import clock

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

PERIODS = {
    "expireActivationsTask": 5,
    "expireOperationsTask": 5,
    "expireUniqueValuesTask": 60,
    "expireTemporaryKeys": 5,
    "dispatchPendingCallbackUrlEvents": 3,
    "rerunStaleCallbackUrlEvents": 3,
    "cleanCallbackUrlEvents": 86_400,
    "cleanAuditLog": 86_400,
    "cleanSignedTokens": 3_600,
    "rotateSigningKeys": 86_400,
    "cleanBindingTickets": 600,
    "cleanFingerprints": 86_400,
    "createAuditPartitions": 3_600,
    "applyAuditRetention": 86_400,
    "watchPasskeyFiles": 3_600,
    "revalidatePasskeys": 300,
    "exportAudit": 0,
}


async def test_names_and_periods_are_those_of_the_original(core: Core) -> None:
    assert {job.name: job.period_seconds for job in jobs.all_jobs(core)} == PERIODS
    assert set(jobs.JOB_NAMES) == set(PERIODS)


@pytest.mark.parametrize("name", jobs.JOB_NAMES)
async def test_every_job_runs_by_name_on_an_empty_database(core: Core, name: str) -> None:
    assert await jobs.run_job(core, name)


async def test_an_unknown_job_is_an_error(core: Core) -> None:
    with pytest.raises(KeyError):
        await jobs.run_job(core, "unknown")


async def test_a_job_deletes_what_expired(core: Core) -> None:
    now = clock.now()
    async with core.database.transaction() as session:
        for name, seconds in (("old", -1), ("new", 60)):
            session.add(
                UniqueValue(
                    unique_value=name,
                    type=UniqueValueType.MAC_TOKEN,
                    timestamp_expires=now + timedelta(seconds=seconds),
                )
            )
    assert await jobs.run_job(core, "expireUniqueValuesTask")
    async with core.database.read() as session:
        assert (await session.execute(select(UniqueValue.unique_value))).scalars().all() == ["new"]


async def test_a_job_without_a_period_is_not_scheduled_but_can_be_run(start_core: StartCore) -> None:
    core = await start_core(job_audit_cleanup_ms=0, job_unique_value_cleanup_ms=0)
    with pytest.raises(KeyError):
        await core.jobs.run_once("cleanAuditLog")
    assert await core.jobs.run_once("expireTemporaryKeys")
    assert await jobs.run_job(core, "cleanAuditLog")
