"""An operation that its user did not ask for (spec/core-api.md §19.10)."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from core_test_api import Api
from sqlalchemy import select, text

from powerauth_core.activations.models import Activation, ActivationHistory
from powerauth_core.container import Core
from powerauth_sdk.phone import Phone

if TYPE_CHECKING:
    from dmz.conftest import Door

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

REASON = "UNEXPECTED_OPERATION"


async def made_with(door: Door, api: Api, action: str | None) -> dict[str, Any]:
    """An operation of ``alice`` whose rejection as unexpected does something to the activation."""
    template = {
        "templateName": f"on-{action}",
        "operationType": "login",
        "dataTemplate": "A2",
        "signatureType": ["POSSESSION_KNOWLEDGE"],
        "maxFailureCount": 3,
        "expiration": 300,
    }
    shown = await api.ok("operation/template/create", **template, onUnexpectedOperation=action)
    assert shown["onUnexpectedOperation"] == action
    return await door.operation(templateName=template["templateName"])


def rejection(made: dict[str, Any], reason: str | None = REASON) -> bytes:
    return json.dumps({"requestObject": {"id": made["id"], "reason": reason}}).encode()


async def state_of(core: Core, phone: Phone) -> tuple[str, str | None, list[str]]:
    """Status, blocked reason and flags of a phone's activation."""
    async with core.database.read() as session:
        row = await session.get_one(Activation, phone.activation_id)
    return row.activation_status.value, row.blocked_reason, list(row.flags or ())


async def events_of(core: Core, subject: str, kind: str) -> list[dict[str, Any]]:
    statement = text("SELECT data FROM outbox_event WHERE subject = :subject AND type = :kind ORDER BY seq")
    async with core.database.read() as session:
        return [
            json.loads(data) for data in await session.scalars(statement, {"subject": subject, "kind": kind})
        ]


@pytest.mark.parametrize(
    ("action", "reason", "expected"),
    [
        (None, REASON, ("ACTIVE", None, [])),
        ("FLAG", REASON, ("ACTIVE", None, [REASON])),
        ("BLOCK", REASON, ("BLOCKED", REASON, [])),
        ("BLOCK", "INCORRECT_DATA", ("ACTIVE", None, [])),
    ],
)
async def test_what_becomes_of_the_activation(
    door: Door,
    api: Api,
    core: Core,
    phone: Phone,
    action: str | None,
    reason: str,
    expected: tuple[str, str | None, list[str]],
) -> None:
    await core.relay.stop()
    made = await made_with(door, api, action)
    answer = await door.signed(phone, "operation/reject", rejection(made, reason))
    assert (answer["result"], answer["operationStatus"]) == ("REJECTED", "REJECTED")
    assert await state_of(core, phone) == expected
    told = REASON if reason == REASON else None
    (event,) = await events_of(core, made["id"], "operation.status_changed")
    assert event.get("statusReason") == told
    detail = await api.ok("operation/detail", operationId=made["id"])
    assert (detail["statusReason"], detail["additionalData"]["rejectReason"]) == (told, reason)
    blocked = await events_of(core, phone.activation_id, "activation.status_changed")
    assert [each.get("blockedReason") for each in blocked if each["activationStatus"] == "BLOCKED"] == (
        [REASON] if expected[0] == "BLOCKED" else []
    )
    flagged = await events_of(core, phone.activation_id, "activation.flags_changed")
    assert [each["flags"] for each in flagged] == ([[REASON]] if expected[2] else [])


async def test_a_blocked_activation_says_why_in_its_history(
    door: Door, api: Api, core: Core, phone: Phone
) -> None:
    made = await made_with(door, api, "BLOCK")
    other = await door.operation(templateName="on-BLOCK")
    await door.signed(phone, "operation/reject", rejection(made))
    refused = await door.signed(phone, "operation/reject", rejection(other))
    assert refused["authenticated"] is False
    assert (await door.stored_operation(other)).status == "PENDING"
    statement = (
        select(ActivationHistory.event_reason)
        .where(ActivationHistory.activation_id == phone.activation_id)
        .order_by(ActivationHistory.timestamp_created)
    )
    async with core.database.read() as session:
        assert (await session.scalars(statement)).all()[-1] == REASON


async def test_rejections_at_the_same_time_block_once(door: Door, api: Api, core: Core, phone: Phone) -> None:
    await core.relay.stop()
    made = [await made_with(door, api, "BLOCK")]
    made += [await door.operation(templateName="on-BLOCK") for _ in range(3)]
    bodies = [door.request(phone, "operation/reject", rejection(each)) for each in made]
    answers = await asyncio.gather(*[api_call(door, body) for body in bodies])
    assert {answer["authenticated"] for answer in answers} <= {True, False}
    assert any(answer["authenticated"] for answer in answers)
    blocked = await events_of(core, phone.activation_id, "activation.status_changed")
    assert [each["activationStatus"] for each in blocked].count("BLOCKED") == 1
    assert await state_of(core, phone) == ("BLOCKED", REASON, [])


async def api_call(door: Door, request: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = await door.call("signed/operation/reject", request)
    return answer


async def test_a_flag_that_has_no_room_leaves_the_rejection(
    door: Door, api: Api, core: Core, phone: Phone
) -> None:
    full = ["F" * 240]
    await api.ok("activation/flags/update", activationId=phone.activation_id, activationFlags=full)
    made = await made_with(door, api, "FLAG")
    assert (await door.signed(phone, "operation/reject", rejection(made)))["result"] == "REJECTED"
    assert await state_of(core, phone) == ("ACTIVE", None, full)


async def test_the_bank_may_say_why_and_no_device_suffers(
    door: Door, api: Api, core: Core, phone: Phone
) -> None:
    made = await made_with(door, api, "BLOCK")
    rejected = await api.ok(
        "operation/reject",
        operationId=made["id"],
        userId="alice",
        applicationId=made["applications"][0],
        statusReason=REASON,
    )
    assert (rejected["operation"]["status"], rejected["operation"]["statusReason"]) == ("REJECTED", REASON)
    assert await state_of(core, phone) == ("ACTIVE", None, [])
