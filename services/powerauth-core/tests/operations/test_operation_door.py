"""What a device may do with operations (enrollment-api §10.2 to §10.6, §10.10; D14)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from core_test_api import NewApplication, StartCore
from core_test_parts import parts_of

from powerauth_contracts.dmz.models import OperationDetailAnswer
from powerauth_contracts.enums import OperationStatus, Refusal, SignatureType, UserActionResult
from powerauth_contracts.wire import to_json
from powerauth_core.container import Core
from powerauth_core.dmz.views import operation_view, shown_view
from powerauth_core.kernel.errors import InvalidRequest, OperationNotApprovable, OperationNotFound
from powerauth_core.operations import door
from powerauth_core.operations.door import DoorOutcome
from powerauth_core.operations.rules import Actor
from powerauth_core.verification.jobs import Plan
from servicekit import clock

if TYPE_CHECKING:
    from operations.conftest import Bank, ReadEvents


pytestmark = pytest.mark.dialects("sqlite", "postgresql")

ACTOR = Actor("act-1", "user", "bank", ("FLAG",))
STRANGERS = [
    replace(ACTOR, user_id="other"),
    replace(ACTOR, application_id="shop"),
    replace(ACTOR, activation_id="act-2"),
]


class Door:
    """The door's functions, each in a transaction of its own."""

    def __init__(self, core: Core) -> None:
        self.core = core

    async def _call(self, function: Any, **arguments: Any) -> Any:
        async with self.core.database.transaction() as session:
            return await function(*parts_of(self.core, function, session), **arguments)

    async def _act(self, plan: Callable[..., Plan], operation: dict[str, Any], **arguments: Any) -> Any:
        """What the door does with a checked signature."""
        records = self.core.operation_records
        async with self.core.database.transaction() as session:
            planned = plan(await records.lock(session, operation["id"]), **arguments)
            if planned.change is not None:
                await records.write(session, planned.change)
        return planned.answer

    async def approve(self, operation: dict[str, Any], actor: Actor = ACTOR, **changed: Any) -> DoorOutcome:
        arguments: dict[str, Any] = {
            "data": operation.get("data", "A2"),
            "signature_type": SignatureType.POSSESSION_KNOWLEDGE,
            "additional_data": {"authFactor": "possession_knowledge"},
        }
        plan = partial(door.approve, self.core.settings, self.core.cipher)
        outcome: DoorOutcome = await self._act(plan, operation, actor=actor, **(arguments | changed))
        return outcome

    async def fail(self, operation: dict[str, Any], actor: Actor = ACTOR) -> OperationStatus | None:
        data = {"ipAddress": "::1"}
        counted: OperationStatus | None = await self._act(
            door.fail_approval, operation, actor=actor, additional_data=data
        )
        return counted

    async def reject(self, operation: dict[str, Any], actor: Actor = ACTOR) -> DoorOutcome:
        data = {"rejectReason": "INCORRECT_DATA"}
        outcome: DoorOutcome = await self._act(door.reject, operation, actor=actor, additional_data=data)
        return outcome

    async def detail(self, operation: dict[str, Any], actor: Actor = ACTOR) -> Any:
        return operation_view(await self._call(door.detail, actor=actor, operation_id=operation["id"]))

    async def claim(self, operation: dict[str, Any], actor: Actor = ACTOR) -> Any:
        return operation_view(await self._call(door.claim, actor=actor, operation_id=operation["id"]))

    async def pending(self, actor: Actor = ACTOR) -> list[Any]:
        found = await self._call(door.list_pending, actor=actor)
        return [shown_view(operation, clock.now()) for operation in found]

    async def history(self, actor: Actor = ACTOR) -> list[Any]:
        return [operation_view(found) for found in await self._call(door.list_all, actor=actor)]


@pytest.fixture
def device(core: Core) -> Door:
    return Door(core)


@pytest.fixture
async def bound(bank: Bank) -> dict[str, Any]:
    """An operation of ``user`` for activation ``act-1`` with flag ``FLAG``."""
    await bank.activation("act-1")
    operation: dict[str, Any] = await bank.create(activationId="act-1", activationFlag="FLAG")
    return operation


async def test_a_device_sees_an_operation_without_its_code(bank: Bank, device: Door) -> None:
    parameters = {"AMOUNT": "1", "CURRENCY": "CZK", "IBAN": "CZ27", "NOTE": None}
    created = await bank.create(proximityCheckEnabled=True, parameters=parameters)
    (shown,) = await device.pending()
    written = to_json(OperationDetailAnswer(operation=shown))
    wire = json.loads(written)["operation"]
    assert sorted(wire) == [
        *("activationFlag", "data", "id", "numberMatching", "operationType", "parameters"),
        *("proximityCheck", "riskFlags", "signatureType", "status", "statusReason"),
        *("timestampCreated", "timestampExpires"),
    ]
    assert wire["proximityCheck"] is True
    assert wire["signatureType"] == ["possession_knowledge", "possession_biometry"]
    assert wire["parameters"] == parameters
    assert wire["timestampExpires"] - wire["timestampCreated"] == 300_000
    assert created["proximityOtp"].encode() not in written
    assert (await device.detail(created)) == shown
    assert (await device.history()) == [shown]


async def test_approval(bank: Bank, device: Door, events: ReadEvents, bound: dict[str, Any]) -> None:
    assert await device.approve(bound) == DoorOutcome(UserActionResult.APPROVED, OperationStatus.APPROVED)
    shown = await bank.detail(bound)
    assert (shown["status"], shown["additionalData"]) == ("APPROVED", {"authFactor": "possession_knowledge"})
    assert [data["status"] for _, data in await events()] == ["PENDING", "APPROVED"]


async def test_an_unclaimed_operation_is_approved_and_owned(bank: Bank, device: Door) -> None:
    created = await bank.create(userId=None)
    assert (await device.approve(created)).result is UserActionResult.APPROVED
    assert (await bank.detail(created))["userId"] == "user"


@pytest.mark.parametrize("actor", STRANGERS)
async def test_a_stranger_finds_no_operation_and_counts_nothing(
    bank: Bank, device: Door, bound: dict[str, Any], new_application: NewApplication, actor: Actor
) -> None:
    await new_application("shop")
    for call in (device.approve, device.reject, device.detail, device.claim):
        with pytest.raises(OperationNotFound):
            await call(bound, actor)
    assert await device.fail(bound, actor) is None
    assert await device.pending(actor) == await device.history(actor) == []
    assert await bank.detail(bound) == bound


async def test_an_unknown_operation_is_like_a_strangers(bank: Bank, device: Door) -> None:
    unknown = {"id": "unknown"}
    for call in (device.approve, device.reject, device.detail, device.claim):
        with pytest.raises(OperationNotFound):
            await call(unknown)
    assert await device.fail(unknown) is None


@pytest.mark.parametrize(
    "wrong", [{"data": "A1"}, {"signature_type": SignatureType.POSSESSION}, {"additional_data": {}}]
)
async def test_wrong_data_factor_or_code_count(bank: Bank, device: Door, wrong: dict[str, Any]) -> None:
    created = await bank.create(proximityCheckEnabled=True)
    right = {"additional_data": {"proximity_otp": created["proximityOtp"]}}
    failed = DoorOutcome(UserActionResult.APPROVAL_FAILED, OperationStatus.PENDING)
    assert await device.approve(created, **(right | wrong)) == failed
    assert await device.approve(created, **(right | wrong)) == failed
    last = await device.approve(created, **(right | wrong))
    assert last == DoorOutcome(UserActionResult.OPERATION_FAILED, OperationStatus.FAILED)
    assert (await bank.detail(created))["failureCount"] == 3


async def test_a_wrong_signature_counts_on_an_owned_operation_only(bank: Bank, device: Door) -> None:
    owned, unclaimed = await bank.create(), await bank.create(userId=None)
    assert await device.fail(unclaimed) is None
    assert await device.fail(owned) is OperationStatus.PENDING
    assert await device.fail(owned) is OperationStatus.PENDING
    assert await device.fail(owned) is OperationStatus.FAILED
    assert await device.fail(owned) is None
    shown = await bank.detail(owned)
    assert (shown["status"], shown["failureCount"], shown["additionalData"]) == (
        "FAILED",
        3,
        {"ipAddress": "::1"},
    )
    assert (await bank.detail(unclaimed))["failureCount"] == 0


async def test_nothing_counts_on_a_finished_or_expired_operation(bank: Bank, device: Door) -> None:
    finished, expired = await bank.create(), await bank.create()
    await bank.approve(finished)
    await bank.let_expire(expired)
    for operation, status in [(finished, OperationStatus.APPROVED), (expired, OperationStatus.EXPIRED)]:
        assert await device.fail(operation) is None
        assert await device.approve(operation) == DoorOutcome(operation_status=status)
        assert await device.approve(operation, data="x") == DoorOutcome(operation_status=status)
        assert await device.reject(operation) == DoorOutcome(operation_status=status)
        assert (await bank.detail(operation))["failureCount"] == 0


@pytest.mark.parametrize("flag", ["VERIFICATION_PENDING", "VERIFICATION_IN_PROGRESS"])
async def test_an_activation_under_verification_rejects_but_does_not_approve(
    bank: Bank, device: Door, flag: str
) -> None:
    created = await bank.create()
    actor = replace(ACTOR, activation_flags=("FLAG", flag))
    assert await device.approve(created, actor) == DoorOutcome(refusal=Refusal.VERIFICATION_PENDING)
    assert await device.approve({"id": "unknown"}, actor) == DoorOutcome(refusal=Refusal.VERIFICATION_PENDING)
    assert (await bank.detail(created))["failureCount"] == 0
    assert (await device.reject(created, actor)).result is UserActionResult.REJECTED


async def test_a_missing_flag_refuses_without_counting(
    bank: Bank, device: Door, bound: dict[str, Any]
) -> None:
    actor = replace(ACTOR, activation_flags=("OTHER",))
    refused = DoorOutcome(None, OperationStatus.PENDING, Refusal.ACTIVATION_FLAG_MISSING, "FLAG")
    assert await device.approve(bound, actor) == refused
    assert await device.approve(bound, actor, data="x") == refused
    assert await device.reject(bound, actor) == refused
    assert await bank.detail(bound) == bound


async def test_require_claim_leaves_unclaimed_operations_alone(bank: Bank, start_core: StartCore) -> None:
    created = await bank.create(userId=None)
    device = Door(await start_core(require_claim=True))
    with pytest.raises(OperationNotApprovable):
        await device.approve(created)
    with pytest.raises(OperationNotApprovable):
        await device.approve(created, data="x")
    assert (await bank.detail(created))["failureCount"] == 0
    assert (await device.claim(created)).status == OperationStatus.PENDING
    assert (await device.approve(created)).result is UserActionResult.APPROVED


async def test_a_device_cannot_store_what_nobody_can_read(bank: Bank, device: Door) -> None:
    nested: Any = []
    for _ in range(40):
        nested = [nested]
    created = await bank.create()
    with pytest.raises(InvalidRequest):
        await device.approve(created, additional_data={"mobileTokenData": {"a": nested}})
    assert await bank.detail(created) == created


async def test_rejection(bank: Bank, device: Door) -> None:
    created = await bank.create(userId=None)
    assert await device.reject(created) == DoorOutcome(UserActionResult.REJECTED, OperationStatus.REJECTED)
    shown = await bank.detail(created)
    assert (shown["userId"], shown["additionalData"]) == ("user", {"rejectReason": "INCORRECT_DATA"})


async def test_claiming_once_and_for_all(bank: Bank, device: Door) -> None:
    created = await bank.create(userId=None)
    assert (await device.detail(created)).id == created["id"]
    assert await device.pending() == []
    await device.claim(created)
    assert (await bank.detail(created))["userId"] == "user"
    await device.claim(created)
    with pytest.raises(OperationNotFound):
        await device.claim(created, replace(ACTOR, user_id="other"))
    assert [operation.id for operation in await device.pending()] == [created["id"]]


async def test_an_expired_operation_is_shown_but_not_claimed(bank: Bank, device: Door) -> None:
    created = await bank.create(userId=None)
    await bank.let_expire(created)
    assert (await device.claim(created)).status == OperationStatus.EXPIRED
    assert (await bank.detail(created))["userId"] is None


async def test_an_activation_without_flags_sees_no_flagged_operation(
    bank: Bank, device: Door, bound: dict[str, Any]
) -> None:
    plain = await bank.create()
    unflagged = replace(ACTOR, activation_flags=())
    for listing in (device.pending, device.history):
        assert {operation.id for operation in await listing()} == {plain["id"], bound["id"]}
        assert {operation.id for operation in await listing(unflagged)} == {plain["id"]}


async def test_history_shows_every_state_and_at_most_the_newest_hundred(bank: Bank, device: Door) -> None:
    approved, expired, pending = [await bank.create() for _ in range(3)]
    await bank.approve(approved)
    await bank.let_expire(expired)
    assert [operation.status for operation in await device.history()] == ["PENDING", "EXPIRED", "APPROVED"]
    assert [operation.id for operation in await device.pending()] == [pending["id"]]
    made = [await bank.create(templateName="login") for _ in range(101)]
    newest = [operation["id"] for operation in reversed(made)][:100]
    assert [operation.id for operation in await device.history()] == newest
    assert [operation.id for operation in await device.pending()] == newest
