"""Another's operation is unknown, pending or finished, at every door (D31)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from core_test_api import NewApplication

from powerauth_contracts.enums import OperationStatus, SignatureType
from powerauth_core.kernel.errors import OperationNotFound
from powerauth_core.operations import door
from powerauth_core.operations.rules import Actor
from powerauth_core.verification.jobs import Plan
from servicekit import clock

if TYPE_CHECKING:
    from operations.conftest import Bank


ACTOR = Actor("act-1", "user", "bank")
STRANGERS = [
    replace(ACTOR, user_id="other"),
    replace(ACTOR, application_id="shop"),
    replace(ACTOR, activation_id="act-2"),
]
EXPIRED_UNSTORED = "past its expiry"
STATES = [*OperationStatus, EXPIRED_UNSTORED]

RIGHT = {"userId": "user", "applicationId": "bank", "data": "A2", "signatureType": "POSSESSION_KNOWLEDGE"}
REST: list[tuple[str, dict[str, Any]]] = [
    ("operation/detail", {"userId": "other"}),
    ("operation/claim", {"userId": "other"}),
    ("operation/approve", RIGHT | {"userId": "other"}),
    ("operation/approve", RIGHT | {"applicationId": "shop"}),
    ("operation/reject", RIGHT | {"userId": "other"}),
    ("operation/reject", RIGHT | {"applicationId": "shop"}),
    *(
        (f"operation/{call}", RIGHT | {"applicationIds": ["shop"]})
        for call in ("detail", "claim", "approve", "approve/fail", "reject", "cancel")
    ),
]
APPROVAL: dict[str, Any] = {"data": "A2", "signature_type": SignatureType.POSSESSION_KNOWLEDGE}


async def _operation(bank: Bank, state: OperationStatus | str) -> dict[str, Any]:
    await bank.activation("act-1")
    created: dict[str, Any] = await bank.create(activationId="act-1", templateName="login")
    if isinstance(state, OperationStatus):
        await bank.change(created, status=state)
    else:
        await bank.change(created, timestamp_expires=clock.now() - timedelta(seconds=1))
    return created


@pytest.mark.parametrize("state", STATES)
async def test_foreign_operation_looks_like_an_unknown_one_inside(
    bank: Bank, new_application: NewApplication, state: str
) -> None:
    await new_application("shop")
    created = await _operation(bank, state)
    before = await bank.detail(created)
    for call, request in REST:
        answers = [
            await bank.api.post(call, **(request | {"operationId": operation_id}))
            for operation_id in (created["id"], "unknown")
        ]
        assert answers[0] == answers[1], call
        assert answers[0][0] == 400
    assert await bank.detail(created) == before


@pytest.mark.parametrize("state", STATES)
async def test_foreign_operation_looks_like_an_unknown_one_to_a_device(
    bank: Bank, new_application: NewApplication, state: str
) -> None:
    await new_application("shop")
    created = await _operation(bank, state)
    before = await bank.detail(created)
    for actor in STRANGERS:
        async with bank.core.database.transaction() as session:
            with pytest.raises(OperationNotFound):
                await door.claim(bank.core, session, actor=actor, operation_id=created["id"])
            operation = await bank.core.operation_records.lock(session, created["id"])
            approve: Callable[..., Plan] = partial(
                door.approve, bank.core.settings, bank.core.cipher, **APPROVAL
            )
            for plan in (approve, door.reject):
                with pytest.raises(OperationNotFound):
                    plan(operation, actor=actor, additional_data={})
            assert door.fail_approval(operation, actor=actor, additional_data={}) == Plan(None)
            assert await door.list_all(bank.core.application_cache, session, actor=actor) == []
        with pytest.raises(OperationNotFound):
            await door.detail(bank.core.database, actor=actor, operation_id=created["id"])
    assert await bank.detail(created) == before


@pytest.mark.parametrize("state", STATES)
async def test_owner_sees_the_operation_in_every_state(bank: Bank, state: str) -> None:
    created = await _operation(bank, state)
    shown = await bank.api.ok("operation/detail", operationId=created["id"], userId="user")
    claimed = await bank.api.ok("operation/claim", operationId=created["id"], userId="user")
    assert shown["id"] == claimed["id"] == created["id"]
    seen = await door.detail(bank.core.database, actor=ACTOR, operation_id=created["id"])
    assert seen.status_at(clock.now()) == shown["status"]
