"""Devices are recognised by what was stored of them (spec/device-trust.md §6.3, §6.4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.applications.models import Application
from powerauth_core.container import Core
from powerauth_core.fingerprint_records import service
from powerauth_core.fingerprint_records.models import Fingerprint
from powerauth_core.fingerprint_records.repository import Subject
from powerauth_core.fingerprints.matching import Outcome, Thresholds
from powerauth_core.fingerprints.payload import Platform
from powerauth_core.fingerprints.stored import Sketch
from powerauth_core.jobs import run_job
from servicekit import clock

if TYPE_CHECKING:
    from core_test_api import TestApplication

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

NAMES = ("model", "manufacturer", "hardware", "cpuAbi", "vendorId", "mediaDrmId", "carrier")
PHONE = Sketch(Platform.ANDROID, {name: f"hash of {name}" for name in NAMES}, frozenset({"rooted"}))
THRESHOLDS = Thresholds()


def changed(**components: str) -> Sketch:
    return replace(PHONE, components={**PHONE.components, **components})


async def number_of(session: AsyncSession, application_id: str) -> int:
    found = await session.scalar(select(Application.id).where(Application.name == application_id))
    assert found is not None
    return found


async def test_a_device_is_known_by_its_key(core: Core, application: TestApplication) -> None:
    async with core.database.transaction() as session:
        subject = Subject(
            application_id=await number_of(session, application.application_id), device_id="device"
        )
        first = await service.observe(session, subject, PHONE, THRESHOLDS)
    assert first.likeness is None

    for shown, outcome, count in (
        (changed(carrier="other"), Outcome.MATCH, 2),
        (changed(vendorId="new"), Outcome.DRIFT, 3),
        (replace(PHONE, platform=Platform.IOS), Outcome.MISMATCH, 3),
    ):
        async with core.database.transaction() as session:
            again = await service.observe(session, subject, shown, THRESHOLDS)
        assert again.fingerprint_id == first.fingerprint_id
        assert again.likeness is not None
        assert (again.likeness.outcome, again.seen.count) == (outcome, count)

    async with core.database.transaction() as session:
        (row,) = await session.scalars(select(Fingerprint))
        assert (row.seen_count, row.vendor_id, row.first_seen) == (3, "new", first.seen.first_seen)
        assert Sketch.decoded(row.components) == changed(vendorId="new")
        other = replace(subject, device_id=None, activation_id="device")
        assert (await service.observe(session, other, PHONE, THRESHOLDS)).likeness is None
        with pytest.raises(ValueError, match="whose"):
            await service.observe(session, replace(subject, device_id=None), PHONE, THRESHOLDS)


async def test_a_device_without_a_key_is_looked_for(core: Core, application: TestApplication) -> None:
    async with core.database.transaction() as session:
        number = await number_of(session, application.application_id)
        stored = {
            name: await service.observe(
                session, Subject(application_id=number, cluster_id=name), sketch, THRESHOLDS
            )
            for name, sketch in {
                "same": PHONE,
                "other model": changed(model="other"),
                "other phone": changed(vendorId="other", mediaDrmId="other", model="other", hardware="other"),
            }.items()
        }
    async with core.database.transaction() as session:
        for shown, expected in (
            (PHONE, "same"),
            (changed(carrier="other"), "same"),
            (changed(model="other"), "other model"),
            (changed(vendorId="unknown", model="unknown"), None),
        ):
            found = await service.alike(session, number, shown, THRESHOLDS)
            assert (found and found.fingerprint_id) == (expected and stored[expected].fingerprint_id)
        assert await service.alike(session, number + 1, PHONE, THRESHOLDS) is None


async def test_what_is_not_seen_for_long_is_deleted(core: Core, application: TestApplication) -> None:
    async with core.database.transaction() as session:
        number = await number_of(session, application.application_id)
        for days in (399, 401):
            made = await service.observe(
                session, Subject(application_id=number, device_id=f"{days}"), PHONE, THRESHOLDS
            )
            await session.flush()
            row = update(Fingerprint).where(Fingerprint.fingerprint_id == made.fingerprint_id)
            await session.execute(row.values(last_seen=clock.now() - timedelta(days=days)))
    await run_job(core, "cleanFingerprints")
    async with core.database.transaction() as session:
        assert list(await session.scalars(select(Fingerprint.device_id))) == ["399"]
