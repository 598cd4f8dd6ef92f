"""Expiry: seen at once, stored and announced by the job (spec/core-api.md §23.2, §30)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from core_test_api import StartCore

from powerauth_contracts.enums import OperationStatus
from powerauth_core import jobs
from powerauth_core.operations import repository, service
from servicekit.database import Dialect

if TYPE_CHECKING:
    from operations.conftest import Bank, ReadCallbacks, ReadEvents


pytestmark = pytest.mark.dialects("sqlite", "postgresql")


async def test_the_job_stores_and_announces_each_expiry_once(
    bank: Bank, events: ReadEvents, callbacks: ReadCallbacks
) -> None:
    overdue = [await bank.create(additionalData={"n": number}) for number in range(3)]
    alive = await bank.create()
    finished = await bank.create()
    await bank.approve(finished)
    await bank.let_expire(*overdue, finished)
    assert await service.expire_operations(bank.core.database, bank.core.listeners, 100) == 3
    assert await service.expire_operations(bank.core.database, bank.core.listeners, 100) == 0
    for operation in overdue:
        row = await bank.stored(operation)
        assert (row.status, row.timestamp_finalized) == (OperationStatus.EXPIRED, None)
    assert (await bank.detail(alive))["status"] == "PENDING"
    assert (await bank.detail(finished))["status"] == "APPROVED"
    expired = [data["operationId"] for _, data in await events() if data["status"] == "EXPIRED"]
    assert sorted(expired) == sorted(operation["id"] for operation in overdue)
    assert [body["status"] for body in await callbacks()].count("EXPIRED") == 3
    assert [message for message, _, _ in await bank.audit()].count("Operation expired") == 3


async def test_a_run_is_bounded_and_takes_the_oldest(bank: Bank) -> None:
    first, second, third = [await bank.create() for _ in range(3)]
    await bank.let_expire(second)
    await bank.let_expire(first)
    await bank.let_expire(third)
    assert await service.expire_operations(bank.core.database, bank.core.listeners, 2) == 2
    assert (await bank.stored(second)).status is OperationStatus.EXPIRED
    assert (await bank.stored(third)).status is OperationStatus.PENDING
    assert await service.expire_operations(bank.core.database, bank.core.listeners, 2) == 1


async def test_the_scheduled_job_keeps_the_configured_limit(bank: Bank, start_core: StartCore) -> None:
    overdue = [await bank.create() for _ in range(3)]
    await bank.let_expire(*overdue)
    core = await start_core(job_expire_operations_limit=2)
    assert await jobs.run_job(core, "expireOperationsTask")
    states = [(await bank.stored(operation)).status for operation in overdue]
    assert states.count(OperationStatus.EXPIRED) == 2


async def test_an_operation_that_somebody_works_on_waits_for_the_next_run(
    bank: Bank, dialect: Dialect
) -> None:
    """On SQLite there is one writer, so nobody else can be at work."""
    if dialect == "sqlite":
        return
    held, free = await bank.create(), await bank.create()
    await bank.let_expire(held, free)
    async with bank.core.database.transaction() as session:
        assert await repository.lock(session, dialect, held["id"])
        assert await service.expire_operations(bank.core.database, bank.core.listeners, 100) == 1
    assert (await bank.stored(held)).status is OperationStatus.PENDING
    assert await service.expire_operations(bank.core.database, bank.core.listeners, 100) == 1


async def test_reading_never_stores_the_expiry(bank: Bank, events: ReadEvents) -> None:
    created = await bank.create()
    await bank.let_expire(created)
    assert (await bank.detail(created))["status"] == "EXPIRED"
    await bank.api.ok("operation/list", userId="user", applications=["bank"])
    await bank.api.ok("operation/claim", operationId=created["id"], userId="user")
    assert (await bank.stored(created)).status is OperationStatus.PENDING
    assert len(await events()) == 1
