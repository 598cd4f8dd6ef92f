"""Of competing actions on one operation exactly one wins; no failure is lost (D9, core-api §23.1)."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import Any

import pytest

from powerauth_contracts.enums import OperationStatus
from powerauth_contracts.rest.operations import (
    OperationApproveRequest,
    OperationCancelRequest,
    OperationClaimRequest,
    OperationFailApprovalRequest,
    OperationRejectRequest,
)
from powerauth_core.operations import service
from servicekit.errors import ServiceError

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

PARALLEL = 20


async def outcomes(actions: Sequence[Awaitable[Any]]) -> Counter[str]:
    """How often each result or error code came out of actions that run at the same time."""

    async def outcome(action: Awaitable[Any]) -> str:
        try:
            answer = await action
        except ServiceError as error:
            return error.code
        return str(getattr(answer, "result", None) or answer.status)

    return Counter(await asyncio.gather(*map(outcome, actions)))


def approval(operation: dict[str, Any], **members: Any) -> OperationApproveRequest:
    right = {"operationId": operation["id"], "userId": "user", "applicationId": "bank"}
    signed = {"data": operation["data"], "signatureType": "POSSESSION_KNOWLEDGE"}
    return OperationApproveRequest.model_validate(right | signed | members)


def rejection(operation: dict[str, Any]) -> OperationRejectRequest:
    return OperationRejectRequest(operation_id=operation["id"], user_id="user", application_id="bank")


async def test_of_parallel_approvals_exactly_one_wins(bank: Any, events: Any, callbacks: Any) -> None:
    created = await bank.create()
    found = await outcomes([service.approve(bank.core, approval(created)) for _ in range(PARALLEL)])
    assert found == {"APPROVED": 1, "ERR0037": PARALLEL - 1}
    assert [data["status"] for _, data in await events()] == ["PENDING", "APPROVED"]
    assert [body["status"] for body in await callbacks()] == ["PENDING", "APPROVED"]


async def test_of_parallel_rejections_exactly_one_wins(bank: Any, events: Any) -> None:
    created = await bank.create()
    found = await outcomes([service.reject(bank.core, rejection(created)) for _ in range(PARALLEL)])
    assert found == {"REJECTED": 1, "ERR0038": PARALLEL - 1}
    assert len(await events()) == 2


async def test_of_different_parallel_actions_exactly_one_wins(bank: Any, events: Any) -> None:
    created = await bank.create()
    cancel = OperationCancelRequest(operation_id=created["id"])
    found = await outcomes(
        [
            action
            for _ in range(PARALLEL // 4)
            for action in (
                service.approve(bank.core, approval(created)),
                service.reject(bank.core, rejection(created)),
                service.cancel(bank.core.database, bank.core.listeners, cancel),
                service.approve(bank.core, approval(created)),
            )
        ]
    )
    winners = {name: count for name, count in found.items() if not name.startswith("ERR")}
    assert list(winners.values()) == [1]
    (winner,) = winners
    assert (await bank.detail(created))["status"] == winner
    assert [data["status"] for _, data in await events()] == ["PENDING", winner]


async def test_parallel_failures_are_counted_exactly(bank: Any, callbacks: Any) -> None:
    created = await bank.create()
    await bank.change(created, max_failure_count=PARALLEL + 1)
    request = OperationFailApprovalRequest(operation_id=created["id"])
    found = await outcomes(
        [service.fail_approval(bank.core.database, bank.core.listeners, request) for _ in range(PARALLEL)]
    )
    assert found == {"APPROVAL_FAILED": PARALLEL}
    assert (await bank.detail(created))["failureCount"] == PARALLEL
    assert sorted(body["failureCount"] for body in await callbacks()) == list(range(PARALLEL + 1))


async def test_parallel_failures_stop_exactly_at_the_maximum(bank: Any, events: Any) -> None:
    created = await bank.create()
    wrong = approval(created, data="wrong")
    report = OperationFailApprovalRequest(operation_id=created["id"])
    found = await outcomes(
        [
            action
            for _ in range(PARALLEL // 2)
            for action in (
                service.approve(bank.core, wrong),
                service.fail_approval(bank.core.database, bank.core.listeners, report),
            )
        ]
    )
    assert (found["APPROVAL_FAILED"], found["OPERATION_FAILED"]) == (2, 1)
    assert found["ERR0036"] + found["ERR0037"] == PARALLEL - 3
    stored = await bank.stored(created)
    assert (stored.status, stored.failure_count) == (OperationStatus.FAILED, 3)
    assert [data["status"] for _, data in await events()] == ["PENDING", "FAILED"]


async def test_of_parallel_claims_exactly_one_user_wins(bank: Any) -> None:
    created = await bank.create(userId=None)
    requests = [
        OperationClaimRequest(operation_id=created["id"], user_id=f"user-{number}")
        for number in range(PARALLEL)
    ]
    found = await outcomes(
        [service.claim(bank.core.database, bank.core.listeners, request) for request in requests]
    )
    assert found == {"PENDING": 1, "ERR0034": PARALLEL - 1}
    assert (await bank.detail(created))["userId"].startswith("user-")


async def test_expiry_and_approval_never_both_happen(bank: Any, events: Any) -> None:
    created = [await bank.create() for _ in range(PARALLEL)]
    await bank.let_expire(*created[::2])
    approvals = [service.approve(bank.core, approval(operation)) for operation in created]
    jobs = [service.expire_operations(bank.core.database, bank.core.listeners, 3) for _ in range(PARALLEL)]
    found, *_ = await asyncio.gather(outcomes(approvals), *jobs)
    assert found == {"APPROVED": PARALLEL // 2, "ERR0037": PARALLEL // 2}
    while await service.expire_operations(bank.core.database, bank.core.listeners, 100):
        pass
    ends = Counter(data["operationId"] for _, data in await events() if data["status"] != "PENDING")
    assert set(ends.values()) == {1}
    assert len(ends) == PARALLEL
