"""Of competing actions on one operation exactly one wins; no failure is lost (D9, core-api §23.1)."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from powerauth_contracts.enums import OperationStatus, SignatureType
from powerauth_core.operations import service
from powerauth_core.operations.stored import StoredOperation
from servicekit.errors import ServiceError

if TYPE_CHECKING:
    from operations.conftest import Bank, ReadCallbacks, ReadEvents


pytestmark = pytest.mark.dialects("sqlite", "postgresql")

PARALLEL = 20


async def outcomes(actions: Sequence[Awaitable[Any]]) -> Counter[str]:
    """How often each result or error code came out of actions that run at the same time."""

    async def outcome(action: Awaitable[Any]) -> str:
        try:
            answer = await action
        except ServiceError as error:
            return error.code
        return str(answer.result) if isinstance(answer, service.Acted) else str(answer.row.status)

    return Counter(await asyncio.gather(*map(outcome, actions)))


def approve(bank: Bank, operation: dict[str, Any], data: str | None = None) -> Awaitable[service.Acted]:
    return service.approve(
        bank.core,
        operation_id=operation["id"],
        user_id="user",
        application_id="bank",
        data=data or operation["data"],
        signature_type=SignatureType.POSSESSION_KNOWLEDGE,
        additional_data=None,
        scope=None,
    )


def fail(bank: Bank, operation: dict[str, Any]) -> Awaitable[service.Acted]:
    changed = bank.core.database, bank.core.listeners
    return service.fail_approval(*changed, operation_id=operation["id"], additional_data=None, scope=None)


def reject(bank: Bank, operation: dict[str, Any]) -> Awaitable[service.Acted]:
    return service.reject(
        bank.core,
        operation_id=operation["id"],
        user_id="user",
        application_id="bank",
        additional_data=None,
        scope=None,
    )


def cancel(bank: Bank, operation: dict[str, Any]) -> Awaitable[StoredOperation]:
    changed = bank.core.database, bank.core.listeners
    return service.cancel(
        *changed, operation_id=operation["id"], additional_data=None, status_reason=None, scope=None
    )


async def test_of_parallel_approvals_exactly_one_wins(
    bank: Bank, events: ReadEvents, callbacks: ReadCallbacks
) -> None:
    created = await bank.create()
    found = await outcomes([approve(bank, created) for _ in range(PARALLEL)])
    assert found == {"APPROVED": 1, "ERR0037": PARALLEL - 1}
    assert [data["status"] for _, data in await events()] == ["PENDING", "APPROVED"]
    assert [body["status"] for body in await callbacks()] == ["PENDING", "APPROVED"]


async def test_of_parallel_rejections_exactly_one_wins(bank: Bank, events: ReadEvents) -> None:
    created = await bank.create()
    found = await outcomes([reject(bank, created) for _ in range(PARALLEL)])
    assert found == {"REJECTED": 1, "ERR0038": PARALLEL - 1}
    assert len(await events()) == 2


async def test_of_different_parallel_actions_exactly_one_wins(bank: Bank, events: ReadEvents) -> None:
    created = await bank.create()
    found = await outcomes(
        [
            action
            for _ in range(PARALLEL // 4)
            for action in (
                approve(bank, created),
                reject(bank, created),
                cancel(bank, created),
                approve(bank, created),
            )
        ]
    )
    winners = {name: count for name, count in found.items() if not name.startswith("ERR")}
    assert list(winners.values()) == [1]
    (winner,) = winners
    assert (await bank.detail(created))["status"] == winner
    assert [data["status"] for _, data in await events()] == ["PENDING", winner]


async def test_parallel_failures_are_counted_exactly(bank: Bank, callbacks: ReadCallbacks) -> None:
    created = await bank.create()
    await bank.change(created, max_failure_count=PARALLEL + 1)
    found = await outcomes([fail(bank, created) for _ in range(PARALLEL)])
    assert found == {"APPROVAL_FAILED": PARALLEL}
    assert (await bank.detail(created))["failureCount"] == PARALLEL
    assert sorted(body["failureCount"] for body in await callbacks()) == list(range(PARALLEL + 1))


async def test_parallel_failures_stop_exactly_at_the_maximum(bank: Bank, events: ReadEvents) -> None:
    created = await bank.create()
    found = await outcomes(
        [
            action
            for _ in range(PARALLEL // 2)
            for action in (approve(bank, created, "wrong"), fail(bank, created))
        ]
    )
    assert (found["APPROVAL_FAILED"], found["OPERATION_FAILED"]) == (2, 1)
    assert found["ERR0036"] + found["ERR0037"] == PARALLEL - 3
    stored = await bank.stored(created)
    assert (stored.status, stored.failure_count) == (OperationStatus.FAILED, 3)
    assert [data["status"] for _, data in await events()] == ["PENDING", "FAILED"]


async def test_of_parallel_claims_exactly_one_user_wins(bank: Bank) -> None:
    created = await bank.create(userId=None)
    changed = bank.core.database, bank.core.listeners
    found = await outcomes(
        [
            service.claim(*changed, operation_id=created["id"], user_id=f"user-{number}", scope=None)
            for number in range(PARALLEL)
        ]
    )
    assert found == {"PENDING": 1, "ERR0034": PARALLEL - 1}
    assert (await bank.detail(created))["userId"].startswith("user-")


async def test_expiry_and_approval_never_both_happen(bank: Bank, events: ReadEvents) -> None:
    created = [await bank.create() for _ in range(PARALLEL)]
    await bank.let_expire(*created[::2])
    approvals = [approve(bank, operation) for operation in created]
    jobs = [service.expire_operations(bank.core.database, bank.core.listeners, 3) for _ in range(PARALLEL)]
    found, *_ = await asyncio.gather(outcomes(approvals), *jobs)
    assert found == {"APPROVED": PARALLEL // 2, "ERR0037": PARALLEL // 2}
    while await service.expire_operations(bank.core.database, bank.core.listeners, 100):
        pass
    ends = Counter(data["operationId"] for _, data in await events() if data["status"] != "PENDING")
    assert set(ends.values()) == {1}
    assert len(ends) == PARALLEL
