"""How often a user may be asked (spec/core-api.md §19.10)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from core_test_rows import found, statements_of_the_driver
from sqlalchemy import select, text

from powerauth_core import jobs
from powerauth_core.applications.models import Application
from powerauth_core.container import Core
from powerauth_core.operations.creator import Creation, OperationCreator, new_id
from powerauth_core.operations.limits import IDLE
from powerauth_core.operations.models import Operation, OperationUser
from powerauth_core.operations.stored import OPERATION_COLUMNS, OperationRow, StoredOperation
from powerauth_core.templates.rules import UserLimits
from servicekit import clock
from servicekit.testing import PATIENCE_SECONDS

if TYPE_CHECKING:
    from operations.conftest import Bank, ReadCallbacks, ReadEvents

LIMITED = {
    "templateName": "limited",
    "operationType": "login",
    "dataTemplate": "A2",
    "signatureType": ["POSSESSION_KNOWLEDGE"],
    "maxFailureCount": 5,
    "expiration": 60,
}


async def ask(bank: Bank, **members: Any) -> int:
    """Have a limited operation made; the answer's status."""
    request = {"userId": "user", "applications": ["bank"], "templateName": "limited"} | members
    status, _ = await bank.api.post("operation/create", **request)
    return int(status)


async def limit(bank: Bank, **limits: int) -> None:
    shown = await bank.api.ok("operation/template/create", **LIMITED, userLimits=limits)
    assert shown["userLimits"] == {"pending": None, "perMinute": None} | limits


@pytest.mark.dialects("sqlite", "postgresql")
async def test_pending_operations_are_limited(bank: Bank) -> None:
    await limit(bank, pending=2)
    other = await bank.create()  # of another template: it counts, and is not limited
    assert [await ask(bank), await ask(bank)] == [200, 429]
    assert [await ask(bank, userId="other"), await ask(bank, userId=None)] == [200, 200]
    assert (await bank.create())["status"] == "PENDING"
    await bank.approve(other)
    assert await ask(bank) == 429
    pending = await bank.api.ok("operation/list/pending", userId="user", applications=["bank"])
    await bank.let_expire(*pending)
    assert [await ask(bank), await ask(bank), await ask(bank)] == [200, 200, 429]


@pytest.mark.dialects("sqlite", "postgresql")
async def test_new_operations_of_a_minute_are_limited(bank: Bank) -> None:
    await limit(bank, perMinute=2)
    for _ in range(2):
        made = await bank.create(templateName="limited")
        await bank.api.ok("operation/cancel", operationId=made["id"])
    assert await ask(bank) == 429
    await bank.change(made, timestamp_created=clock.now() - timedelta(seconds=61))
    assert [await ask(bank), await ask(bank)] == [200, 429]


async def test_who_is_refused_is_told_when_to_come_again(bank: Bank) -> None:
    await limit(bank, pending=1)
    assert await ask(bank) == 200
    request = {"userId": "user", "applications": ["bank"], "templateName": "limited"}
    status, body = await bank.api.post("operation/create", **request)
    assert (status, body["responseObject"]["code"]) == (429, "ERROR_TOO_MANY_REQUESTS")


async def test_operations_of_other_applications_do_not_count(bank: Bank) -> None:
    await limit(bank, pending=1)
    await bank.api.ok("application/create", applicationId="shop")
    assert [await ask(bank, applications=["shop"]), await ask(bank)] == [200, 200]
    assert await ask(bank, applications=["bank", "shop"]) == 429


async def creations(bank: Bank, users: Sequence[str | None], most: int) -> list[Creation]:
    """New operations of users who may have so many pending ones."""
    made = await bank.stored(await bank.create(userId="somebody"))
    (rid,) = await found(bank.core, select(Application.id).where(Application.name == "bank"))
    row = OperationRow(**{name: getattr(made, name) for name in OPERATION_COLUMNS})
    return [
        Creation(
            StoredOperation(replace(row, id=new_id(), user_id=user), ("bank",)),
            [rid],
            None if user is None else UserLimits(most, None),
        )
        for user in users
    ]


async def test_of_what_is_refused_nothing_is_left(
    bank: Bank, events: ReadEvents, callbacks: ReadCallbacks
) -> None:
    """In one statement with others, which are stored, announced and reported."""
    new = await creations(bank, ["user", *[f"user-{number}" for number in range(6)], None], 1)
    await bank.create()
    statements = await statements_of_the_driver(bank.core)
    outcomes = await stored([bank.core.operation_creator], new)
    assert (outcomes, len(statements)) == ({"TooManyOperations": 1, "StoredOperation": 7}, 1)
    ids = set(await found(bank.core, select(Operation.id)))
    assert len(ids) == 9
    assert {data["operationId"] for _, data in await events() if "operationId" in data} == ids
    assert {params["id"] for _, params, _ in await bank.audit() if "failureCount" in params} == ids
    assert {body["operationId"] for body in await callbacks()} == ids


async def stored(creators: Sequence[OperationCreator], creations: Sequence[Creation]) -> Counter[str]:
    """Kinds of outcomes of creations that processes store at the same time."""
    calls = [creators[number % len(creators)].store(each) for number, each in enumerate(creations)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    return Counter(type(outcome).__name__ for outcome in outcomes)


async def test_processes_that_ask_at_the_same_time_keep_to_the_limit(bank: Bank, core: Core) -> None:
    creators = [OperationCreator(core) for _ in range(4)]
    for most in (1, 3):
        user = f"user-{most}"
        new = await creations(bank, [user] * 24, most)
        outcomes = await stored(creators, new)
        assert outcomes == {"StoredOperation": most, "TooManyOperations": 24 - most}
        assert len(await found(core, select(Operation.id).where(Operation.user_id == user))) == most
    for each in creators:
        await each.close()


async def test_nobody_waits_for_the_user_of_somebody_else(bank: Bank) -> None:
    """In one batch with an operation for a user whose row another process holds."""
    held, *others = await creations(bank, ["held", "user-1", None, "user-2", None], 1)
    creator = bank.core.operation_creator
    async with bank.core.database.transaction() as session, asyncio.timeout(PATIENCE_SECONDS):
        session.add(OperationUser(user_id="held", version=1))
        await session.flush()
        waiting = asyncio.create_task(creator.store(held))
        assert await stored([creator], others) == {"StoredOperation": 4}
        assert not waiting.done()
    assert (await waiting).row.id == held.operation.row.id


@pytest.mark.dialects("sqlite", "postgresql")
async def test_rows_of_users_who_are_not_asked_any_more_are_dropped(bank: Bank) -> None:
    users = select(OperationUser.user_id).order_by(OperationUser.user_id)
    await limit(bank, pending=1)
    made = [await bank.create(templateName="limited", userId=user) for user in ("idle", "new")]
    await bank.change(made[0], timestamp_created=clock.now() - IDLE)
    assert await jobs.run_job(bank.core, "expireUniqueValuesTask")
    assert await found(bank.core, users) == ["new"]
    assert [await ask(bank, userId=user) for user in ("idle", "new")] == [429, 429]
    await bank.api.ok("operation/cancel", operationId=made[0]["id"])
    assert [await ask(bank, userId="idle") for _ in range(2)] == [200, 429]
    assert await found(bank.core, users) == ["idle", "new"]


async def test_unlimited_operations_touch_no_row_of_their_user(bank: Bank) -> None:
    statements = await statements_of_the_driver(bank.core)
    await bank.create()
    assert not [each for each in statements if "operation_user" in each]
    assert await found(bank.core, text("SELECT user_id FROM operation_user")) == []
