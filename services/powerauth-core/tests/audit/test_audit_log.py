"""The general audit log (spec/core-api.md §27, cloud-api §16)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from core_test_api import Api, StartCore
from core_test_rows import found
from sqlalchemy import func, select

from powerauth_contracts.enums import AuditLevel
from powerauth_core import jobs
from powerauth_core.audit import retention
from powerauth_core.audit import service as audit
from powerauth_core.audit.models import AuditLog
from powerauth_core.audit.rules import AuditType
from powerauth_core.container import Core
from servicekit import clock

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

NOW = datetime(2026, 3, 1, 12, 0, 0)


class Timeline:
    """Writes records at chosen moments."""

    def __init__(self, core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
        self.core = core
        self.monkeypatch = monkeypatch

    async def add(
        self, minutes: int, message: str = "m", subject: str | None = "user", **options: Any
    ) -> None:
        self.monkeypatch.setattr(clock, "now", lambda: NOW + timedelta(minutes=minutes))
        async with self.core.database.transaction() as session:
            await audit.record(
                session,
                options.get("type", AuditType.ACTIVATION),
                message,
                options.get("params", {"applicationId": "bank"}),
                subject,
                options.get("level", AuditLevel.INFO),
            )


@pytest.fixture
def timeline(core: Core, monkeypatch: pytest.MonkeyPatch) -> Timeline:
    return Timeline(core, monkeypatch)


async def listed(api: Api, **request_object: Any) -> list[str]:
    defaults = {
        "subjectId": "user",
        "timestampFrom": "2026-03-01T00:00:00Z",
        "timestampTo": "2026-03-02T00:00:00Z",
    }
    answer = await api.ok("audit/log/list", **defaults | request_object)
    return [item["message"] for item in answer["items"]]


async def test_a_record_is_shown_complete(api: Api, timeline: Timeline) -> None:
    await timeline.add(0, "Activation removed", params={"applicationId": "bank", "note": "ž"})
    answer = await api.ok(
        "audit/log/list",
        subjectId="user",
        timestampFrom="2026-03-01T12:00:00.000Z",
        timestampTo="2026-03-01T12:00:00.000Z",
    )
    [item] = answer["items"]
    assert len(item.pop("id")) == 36
    assert item == {
        "subjectId": "user",
        "applicationName": "powerauth-core",
        "type": "activation",
        "level": "INFO",
        "timestamp": "2026-03-01T12:00:00.000+00:00",
        "message": "Activation removed",
        "param": {"applicationId": "bank", "note": "ž"},
    }
    assert answer["hasNext"] is False


async def test_newest_first_in_pages(api: Api, timeline: Timeline) -> None:
    for minute in range(5):
        await timeline.add(minute, str(minute))
    assert await listed(api, pageSize=2) == ["4", "3"]
    assert await listed(api, pageNumber=2, pageSize=2) == ["0"]
    answer = await api.ok(
        "audit/log/list", subjectId="user", timestampFrom=0, timestampTo="2027-01-01T00:00:00Z", pageSize=4
    )
    assert answer["hasNext"] is True


async def test_subject_type_level_and_range_choose(api: Api, timeline: Timeline) -> None:
    await timeline.add(0, "other", subject="other")
    await timeline.add(1, "nobody", subject=None)
    await timeline.add(2, "signature", type=AuditType.SIGNATURE)
    await timeline.add(3, "warning", level=AuditLevel.WARN)
    await timeline.add(4, "debug", level=AuditLevel.DEBUG)
    assert await listed(api) == ["warning", "signature"]
    assert await listed(api, minLevel="TRACE") == ["debug", "warning", "signature"]
    assert await listed(api, minLevel="ERROR") == []
    assert await listed(api, types=["signature"]) == ["signature"]
    assert await listed(api, types=[]) == []
    assert await listed(api, timestampFrom="2026-03-01T12:03:00Z") == ["warning"]


async def test_scope_follows_the_applications_that_a_record_names(api: Api, timeline: Timeline) -> None:
    await timeline.add(0, "one")
    await timeline.add(1, "several", params={"applications": ["shop", "bank"]})
    await timeline.add(2, "foreign", params={"applicationId": "foreign"})
    await timeline.add(3, "nameless", params={"x": 1})
    assert await listed(api) == ["nameless", "foreign", "several", "one"]
    assert await listed(api, applicationIds=["bank"]) == ["several", "one"]
    assert await listed(api, applicationIds=["shop", "foreign"]) == ["foreign", "several"]
    assert await listed(api, applicationIds=[]) == []


@pytest.mark.parametrize(
    "change",
    [
        {"subjectId": None},
        {"subjectId": ""},
        {"timestampFrom": None},
        {"timestampFrom": "2026-03-03T00:00:00Z"},
        {"pageNumber": -1},
        {"pageSize": 0},
    ],
)
async def test_unusable_questions_are_refused(api: Api, change: dict[str, Any]) -> None:
    defaults = {
        "subjectId": "user",
        "timestampFrom": "2026-03-01T00:00:00Z",
        "timestampTo": "2026-03-02T00:00:00Z",
    }
    assert await api.error("audit/log/list", **defaults | change) == "ERR0024"


async def test_a_record_is_undone_with_its_transaction(core: Core) -> None:
    async def fail() -> None:
        async with core.database.transaction() as session:
            await audit.record(session, AuditType.TOKEN, "m", {}, "user")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    async with core.database.read() as session:
        assert (await session.execute(select(func.count(AuditLog.audit_log_id)))).scalar_one() == 0


async def test_old_records_are_deleted_by_the_job(core: Core, timeline: Timeline) -> None:
    for days in (-400, -366, -364, 0):
        await timeline.add(days * 24 * 60, str(days))
    timeline.monkeypatch.setattr(clock, "now", lambda: NOW)
    assert await jobs.run_job(core, "cleanAuditLog")
    kept = await found(core, select(AuditLog.message))
    assert sorted(kept) == ["-364", "0"]


async def test_zero_days_keep_records_for_ever(
    start_core: StartCore, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = await start_core(audit_cleanup_days=0)
    await Timeline(core, monkeypatch).add(-60 * 24 * 4000, "old")
    monkeypatch.setattr(clock, "now", lambda: NOW)
    assert await retention.clean_audit_log(core) == 0
