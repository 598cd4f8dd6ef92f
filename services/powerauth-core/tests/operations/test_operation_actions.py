"""Approve, fail, reject, cancel and claim (spec/core-api.md §19.3, §19.4, §19.7, §23; D14)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from core_test_api import NewApplication, Serve

from powerauth_contracts import moments
from powerauth_contracts.enums import OperationStatus
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.common.totp import totp
from servicekit import clock

if TYPE_CHECKING:
    from operations.conftest import Bank, ReadCallbacks, ReadEvents


pytestmark = pytest.mark.dialects("sqlite", "postgresql")

USER_AGENT = "PowerAuthNetworking/1.5.1 (en; cellular) com.example/1.0 (Apple; iOS/26.0.1; iphone14,5)"
FINAL = [status for status in OperationStatus if status is not OperationStatus.PENDING]


async def test_a_right_approval_approves(bank: Bank, events: ReadEvents, callbacks: ReadCallbacks) -> None:
    created = await bank.create(additionalData={"kept": 1, "changed": "old"})
    answer = await bank.approve(
        created, additionalData={"changed": "new", "added": {"x": []}, "userAgent": USER_AGENT}
    )
    assert answer["result"] == "APPROVED"
    operation = answer["operation"]
    assert (operation["status"], operation["userId"], operation["failureCount"]) == ("APPROVED", "user", 0)
    assert operation["timestampFinalized"] >= operation["timestampCreated"]
    merged = {"kept": 1, "changed": "new", "added": {"x": []}, "userAgent": USER_AGENT}
    assert operation["additionalData"] == merged
    assert operation["proximityOtp"] is None
    shown = await bank.detail(created)
    assert shown["additionalData"].pop("device")["model"] == "iphone14,5"
    assert shown == operation
    assert [name for name, _ in await events()] == ["operation.created", "operation.status_changed"]
    _, data = (await events())[1]
    assert (data["operationId"], data["status"], data["failureCount"]) == (created["id"], "APPROVED", 0)
    assert data["timestampFinalized"] == moments.to_ms(
        datetime.fromisoformat(operation["timestampFinalized"])
    )
    body = (await callbacks())[1]
    assert (body["status"], body["userId"], body["failureCount"]) == ("APPROVED", "user", 0)
    assert body["additionalData"]["device"]["os"] == "iOS"
    message, params, subject = (await bank.audit())[1]
    assert (message, params["status"], subject) == ("Operation approved", "APPROVED", "user")
    assert params["proximityCheckResult"] == "DISABLED"


@pytest.mark.parametrize(
    "wrong",
    [
        {"data": "A1*A100CZK*I"},
        {"signatureType": "POSSESSION"},
        {"signatureType": "POSSESSION_KNOWLEDGE_BIOMETRY"},
        {"additionalData": None},
        {"additionalData": {"activationId": "act-2"}},
        {"additionalData": {"activationId": 7}},
    ],
)
async def test_any_mismatch_counts_and_the_last_one_fails_the_operation(
    bank: Bank, events: ReadEvents, callbacks: ReadCallbacks, wrong: dict[str, Any]
) -> None:
    await bank.activation("act-1")
    created = await bank.create(activationId="act-1")
    right = {"additionalData": {"activationId": "act-1"}}
    for count in (1, 2):
        answer = await bank.approve(created, **(right | wrong))
        operation = answer["operation"]
        assert answer["result"] == "APPROVAL_FAILED"
        assert (operation["status"], operation["failureCount"]) == ("PENDING", count)
        assert operation["timestampFinalized"] is None
    answer = await bank.approve(created, **(right | wrong))
    operation = answer["operation"]
    assert answer["result"] == "OPERATION_FAILED"
    assert (operation["status"], operation["failureCount"], operation["userId"]) == ("FAILED", 3, "user")
    assert operation["timestampFinalized"] is not None
    assert await bank.api.error("operation/approve", **bank.approval(created, **right)) == "ERR0037"
    assert [data["status"] for _, data in await events()] == ["PENDING", "FAILED"]
    assert [(body["status"], body["failureCount"]) for body in await callbacks()] == [
        ("PENDING", 0),
        ("PENDING", 1),
        ("PENDING", 2),
        ("FAILED", 3),
    ]
    assert [message for message, _, _ in await bank.audit()] == [
        "Operation created",
        "Operation approval failed",
        "Operation approval failed",
        "Operation failed",
    ]


async def test_a_failed_approval_merges_its_data_and_sets_no_owner(bank: Bank) -> None:
    created = await bank.create(userId=None, additionalData={"a": 1})
    answer = await bank.approve(created, data="wrong", additionalData={"b": 2})
    assert answer["operation"]["userId"] is None
    assert answer["operation"]["additionalData"] == {"a": 1, "b": 2}
    assert (await bank.approve(created))["result"] == "APPROVED"
    assert (await bank.detail(created))["userId"] == "user"


async def test_the_only_allowed_failure_is_final(bank: Bank) -> None:
    created = await bank.create()
    await bank.change(created, max_failure_count=1)
    assert (await bank.approve(created, data="x"))["result"] == "OPERATION_FAILED"


async def test_exhausted_failures_of_an_adopted_operation_fail_it(bank: Bank) -> None:
    created = await bank.create()
    await bank.change(created, failure_count=7)
    answer = await bank.approve(created)
    assert (answer["result"], answer["operation"]["failureCount"]) == ("OPERATION_FAILED", 3)


async def test_a_bound_operation_needs_its_activation(bank: Bank) -> None:
    await bank.activation("act-1")
    created = await bank.create(activationId="act-1")
    answer = await bank.approve(created, additionalData={"activationId": "act-1"})
    assert answer["result"] == "APPROVED"
    _, params, _ = (await bank.audit())[1]
    assert params["activationIdMatches"] is True


async def test_an_approval_needs_the_code_of_now_or_of_the_step_before(
    bank: Bank, at: Callable[[datetime], None]
) -> None:
    start = datetime(2026, 5, 6, 7, 8, 0)
    at(start)
    created = await bank.create(proximityCheckEnabled=True)
    otp = created["proximityOtp"]
    at(start + timedelta(seconds=60))
    answer = await bank.approve(created, additionalData={"proximity_otp": otp})
    assert answer["result"] == "APPROVAL_FAILED"
    at(start + timedelta(seconds=59))
    answer = await bank.approve(created, additionalData={"proximity_otp": otp})
    assert answer["result"] == "APPROVED"
    assert answer["operation"]["additionalData"]["proximity_otp"] == otp
    records = {message: params for message, params, _ in await bank.audit()}
    assert records["Operation approval failed"]["proximityCheckResult"] == "FAILED"
    assert records["Operation approved"]["proximityCheckResult"] == "SUCCESS"
    assert "proximity_otp" not in records["Operation approved"]["additionalData"]


async def test_without_a_proper_code_the_approval_fails(bank: Bank) -> None:
    for data in (None, {}, {"proximity_otp": None}, {"proximity_otp": ""}, {"proximity_otp": 1}):
        created = await bank.create(proximityCheckEnabled=True)
        assert (await bank.approve(created, additionalData=data))["result"] == "APPROVAL_FAILED"


async def test_a_code_of_the_future_is_refused(bank: Bank) -> None:
    created = await bank.create(proximityCheckEnabled=True)
    seed = b64decode((await bank.stored(created)).totp_seed or "")
    future = totp(seed, clock.now_ms() // 1000 + 60)
    answer = await bank.approve(created, additionalData={"proximity_otp": future})
    assert answer["result"] == "APPROVAL_FAILED"


async def test_unknown_things_are_told_apart_when_approving(bank: Bank) -> None:
    created = await bank.create()
    refused: list[tuple[dict[str, Any], str]] = [
        ({"operationId": "unknown"}, "ERR0037"),
        ({"operationId": "unknown", "applicationId": "unknown"}, "ERR0037"),
        ({"applicationId": "unknown"}, "ERR0015"),
        ({"signatureType": "possession_knowledge"}, "ERROR_HTTP_REQUEST"),
        ({"signatureType": None}, "ERR0024"),
    ]
    for wrong, code in refused:
        assert await bank.api.error("operation/approve", **bank.approval(created, **wrong)) == code
    assert (await bank.detail(created))["failureCount"] == 0


async def test_with_require_claim_only_the_owner_may_try(bank: Bank, serve: Serve) -> None:
    strict = await serve(require_claim=True)
    unclaimed = await bank.create(userId=None)
    others = await bank.create(userId="other")
    for operation in (unclaimed, others):
        assert await strict.error("operation/approve", **bank.approval(operation)) == "ERR0037"
        assert (await bank.detail(operation))["failureCount"] == 0
    await strict.ok("operation/claim", operationId=unclaimed["id"], userId="user")
    answer = await strict.ok("operation/approve", **bank.approval(unclaimed))
    assert answer["result"] == "APPROVED"


async def test_reported_failures_count_like_failed_approvals(
    bank: Bank, events: ReadEvents, callbacks: ReadCallbacks
) -> None:
    created = await bank.create()
    for count, result in [(1, "APPROVAL_FAILED"), (2, "APPROVAL_FAILED"), (3, "OPERATION_FAILED")]:
        answer = await bank.api.ok(
            "operation/approve/fail", operationId=created["id"], additionalData={f"n{count}": count}
        )
        assert (answer["result"], answer["operation"]["failureCount"]) == (result, count)
    assert answer["operation"]["additionalData"] == {"n1": 1, "n2": 2, "n3": 3}
    assert answer["operation"]["status"] == "FAILED"
    assert len(await callbacks()) == 4
    assert len(await events()) == 2
    assert await bank.api.error("operation/approve/fail", operationId=created["id"]) == "ERR0036"
    assert await bank.api.error("operation/approve/fail", operationId="unknown") == "ERR0034"


async def test_a_rejection_needs_no_data(bank: Bank, events: ReadEvents, callbacks: ReadCallbacks) -> None:
    created = await bank.create(userId=None)
    answer = await bank.api.ok(
        "operation/reject",
        operationId=created["id"],
        userId="user",
        applicationId="bank",
        additionalData={"rejectReason": "UNEXPECTED_OPERATION"},
    )
    operation = answer["operation"]
    assert (answer["result"], operation["status"], operation["userId"]) == ("REJECTED", "REJECTED", "user")
    assert operation["additionalData"] == {"rejectReason": "UNEXPECTED_OPERATION"}
    assert operation["timestampFinalized"] is not None
    assert [data["status"] for _, data in await events()] == ["PENDING", "REJECTED"]
    assert [body["status"] for body in await callbacks()] == ["PENDING", "REJECTED"]


async def test_unknown_things_are_told_apart_when_rejecting(bank: Bank) -> None:
    created = await bank.create()
    request = {"operationId": created["id"], "userId": "user", "applicationId": "bank"}
    assert await bank.api.error("operation/reject", **(request | {"operationId": "unknown"})) == "ERR0038"
    assert await bank.api.error("operation/reject", **(request | {"applicationId": "no"})) == "ERR0015"


async def test_a_cancelled_operation_keeps_its_reason_and_no_end(
    bank: Bank, events: ReadEvents, callbacks: ReadCallbacks
) -> None:
    created = await bank.create()
    answer = await bank.api.ok(
        "operation/cancel",
        operationId=created["id"],
        statusReason="PREARRANGED_CODE_WITH_32_LETTERS"[:32],
        additionalData={"userAgent": USER_AGENT},
    )
    assert (answer["status"], answer["statusReason"]) == ("CANCELED", "PREARRANGED_CODE_WITH_32_LETTERS")
    assert answer["timestampFinalized"] is None
    assert answer["additionalData"]["device"]["os"] == "iOS"
    assert "device" not in ((await bank.stored(created)).additional_data or {})
    _, data = (await events())[1]
    assert (data["status"], data["statusReason"]) == ("CANCELED", "PREARRANGED_CODE_WITH_32_LETTERS")
    assert (await callbacks())[1]["status"] == "CANCELED"
    assert await bank.api.error("operation/cancel", operationId=created["id"]) == "ERR0036"
    assert await bank.api.error("operation/cancel", operationId="unknown") == "ERR0034"
    too_long = {"operationId": created["id"], "statusReason": "x" * 33}
    assert await bank.api.error("operation/cancel", **too_long) == "ERR0024"


async def test_claiming_makes_the_user_the_owner_silently(
    bank: Bank, events: ReadEvents, callbacks: ReadCallbacks
) -> None:
    created = await bank.create(userId=None)
    request = {"operationId": created["id"], "userId": "user"}
    claimed = await bank.api.ok("operation/claim", **request)
    assert claimed == created | {"userId": "user"}
    assert await bank.api.ok("operation/claim", **request) == claimed
    assert await bank.detail(created) == claimed
    assert await bank.api.error("operation/claim", operationId=created["id"], userId="other") == "ERR0034"
    assert await bank.api.error("operation/claim", operationId="unknown", userId="user") == "ERR0034"
    assert (len(await events()), len(await callbacks())) == (1, 1)


async def test_reading_claims_nothing(bank: Bank) -> None:
    created = await bank.create(userId=None)
    shown = await bank.api.ok("operation/detail", operationId=created["id"], userId="user")
    assert shown["userId"] is None
    assert (await bank.stored(created)).user_id is None


async def test_an_expired_operation_is_not_claimed(bank: Bank) -> None:
    created = await bank.create(userId=None)
    await bank.let_expire(created)
    shown = await bank.api.ok("operation/claim", operationId=created["id"], userId="user")
    assert (shown["status"], shown["userId"]) == ("EXPIRED", None)


async def test_final_states_stay_final(bank: Bank, events: ReadEvents) -> None:
    created = await bank.create()
    for status in FINAL:
        await bank.change(created, status=status)
        before = await bank.detail(created)
        assert before["status"] == status.value
        for call, request, code in every_action(created):
            assert await bank.api.error(call, **request) == code
        assert await bank.detail(created) == before
    assert len(await events()) == 1


async def test_an_expired_operation_is_final_before_the_job_says_so(bank: Bank, events: ReadEvents) -> None:
    created = await bank.create()
    await bank.let_expire(created)
    for call, request, code in every_action(created):
        assert await bank.api.error(call, **request) == code
    assert (await bank.detail(created))["status"] == "EXPIRED"
    stored = await bank.stored(created)
    assert (stored.status, stored.failure_count) == (OperationStatus.PENDING, 0)
    assert len(await events()) == 1


def every_action(created: dict[str, Any]) -> list[tuple[str, dict[str, Any], str]]:
    """Each action that would be right on the operation, and how it is refused on a final one."""
    owner = {"operationId": created["id"], "userId": "user", "applicationId": "bank"}
    right = owner | {"data": created["data"], "signatureType": "POSSESSION_KNOWLEDGE"}
    return [
        ("operation/approve", right, "ERR0037"),
        ("operation/approve", right | {"data": "wrong"}, "ERR0037"),
        ("operation/approve/fail", {"operationId": created["id"]}, "ERR0036"),
        ("operation/reject", owner, "ERR0038"),
        ("operation/reject", owner | {"userId": "other"}, "ERR0038"),
        ("operation/cancel", {"operationId": created["id"]}, "ERR0036"),
    ]


async def test_outside_its_scope_a_caller_finds_nothing(bank: Bank, new_application: NewApplication) -> None:
    await new_application("shop")
    created = await bank.create()
    codes = {
        "operation/detail": "ERR0034",
        "operation/claim": "ERR0034",
        "operation/approve": "ERR0037",
        "operation/approve/fail": "ERR0034",
        "operation/reject": "ERR0038",
        "operation/cancel": "ERR0034",
    }
    for scope in (["shop"], [], ["unknown"]):
        for call, code in codes.items():
            assert await bank.api.error(call, **bank.approval(created), applicationIds=scope) == code
    assert await bank.detail(created) == created


async def test_one_application_in_the_scope_is_enough(bank: Bank, new_application: NewApplication) -> None:
    await new_application("shop")
    created = await bank.create(applications=["bank", "shop"])
    shown = await bank.api.ok("operation/detail", operationId=created["id"], applicationIds=["shop", "x"])
    assert shown["applications"] == ["bank", "shop"]
    answer = await bank.approve(created, applicationIds=["shop"])
    assert answer["result"] == "APPROVED"
