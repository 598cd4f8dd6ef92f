"""The number that the bank shows and the user finds on the phone (spec/core-api.md §19.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from core_test_api import Api
from hypothesis import given
from hypothesis import strategies as st

from powerauth_core.container import Core
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.operations import number_matching, rules
from powerauth_core.templates.rules import NumberMatching
from powerauth_sdk.phone import Phone
from servicekit.master_keys import MasterKeys

if TYPE_CHECKING:
    from dmz.conftest import Door

TYPED, CHOSEN = {"digits": 2, "choices": 0}, {"digits": 2, "choices": 3}
CIPHER = RecordCipher(MasterKeys(bytes(16)))


async def made_with(door: Door, api: Api, option: dict[str, int], **members: Any) -> dict[str, Any]:
    """An operation of ``alice`` that asks for a number; three failures end it."""
    await api.ok(
        "operation/template/create",
        templateName="numbered",
        operationType="login",
        dataTemplate="A2",
        signatureType=["POSSESSION_KNOWLEDGE"],
        maxFailureCount=3,
        expiration=300,
        numberMatching=option,
    )
    return await door.operation(templateName="numbered", **members)


def other_than(number: str) -> str:
    return f"{(int(number) + 1) % 100:02}"


async def test_the_bank_alone_learns_the_number(door: Door, api: Api, core: Core, phone: Phone) -> None:
    made = await made_with(door, api, TYPED)
    number = made["numberMatching"]
    assert (number.isdecimal(), len(number)) == (True, 2)
    assert (await api.ok("operation/detail", operationId=made["id"]))["numberMatching"] == number
    subject = {"userId": "alice", "applications": made["applications"]}
    for call in ("operation/list", "operation/list/pending"):
        assert [each["numberMatching"] for each in await api.ok(call, **subject)] == [None]
    (shown,) = (await door.with_token(await door.token(phone), "operation/list"))["operations"]
    assert shown["numberMatching"] == {"digits": 2, "choices": None}
    stored = await door.stored_operation(made)
    assert stored.number_secret not in (None, number)
    assert (
        core.cipher.decrypt_text(
            stored.number_secret_encryption, ("operation-number", made["id"]), stored.number_secret or ""
        )
        == number
    )


async def test_missing_and_wrong_numbers_count(door: Door, api: Api, phone: Phone) -> None:
    made = await made_with(door, api, TYPED)
    number = made["numberMatching"]
    for attempt in ({}, {"numberMatching": other_than(number)}):
        answer = await door.signed(phone, "operation/approve", door.approval(made, **attempt))
        assert (answer["result"], answer["operationStatus"]) == ("APPROVAL_FAILED", "PENDING")
    right = await door.signed(phone, "operation/approve", door.approval(made, numberMatching=number))
    assert right["result"] == "APPROVED"
    stored = await door.stored_operation(made)
    assert (stored.failure_count, "numberMatching" in (stored.additional_data or {})) == (2, False)


async def test_of_few_choices_the_first_wrong_one_ends_it(door: Door, api: Api, phone: Phone) -> None:
    made = await made_with(door, api, CHOSEN)
    token = await door.token(phone)
    answers = [await door.with_token(token, "operation/detail", id=made["id"]) for _ in range(3)]
    (choices,) = {tuple(answer["operation"]["numberMatching"]["choices"]) for answer in answers}
    assert (made["numberMatching"] in choices, len(set(choices))) == (True, 3)
    wrong = next(choice for choice in choices if choice != made["numberMatching"])
    other = await door.signed(
        phone, "operation/approve", door.approval(made, data="A3", numberMatching=made["numberMatching"])
    )
    assert other["operationStatus"] == "PENDING"
    answer = await door.signed(phone, "operation/approve", door.approval(made, numberMatching=wrong))
    assert (answer["result"], answer["operationStatus"]) == ("OPERATION_FAILED", "FAILED")
    assert (await door.stored_operation(made)).failure_count == 3


async def test_who_calls_from_inside_brings_the_number_too(door: Door, api: Api) -> None:
    made = await made_with(door, api, TYPED)
    approval = {
        "operationId": made["id"],
        "userId": "alice",
        "applicationId": made["applications"][0],
        "data": made["data"],
        "signatureType": "POSSESSION_KNOWLEDGE",
    }
    assert (await api.ok("operation/approve", **approval))["result"] == "APPROVAL_FAILED"
    number = made["numberMatching"]
    approved = await api.ok("operation/approve", **approval, numberMatching=number)
    assert (approved["result"], approved["operation"]["numberMatching"]) == ("APPROVED", None)


@given(digits=st.integers(2, 6), choices=st.sampled_from([0, 3]))
def test_numbers_have_their_digits_and_stand_among_their_choices(digits: int, choices: int) -> None:
    made = number_matching.make(CIPHER, NumberMatching(digits, choices), "id-1")
    assert made.shown is not None
    number = CIPHER.decrypt_text(made.encryption, ("operation-number", "id-1"), made.secret or "")
    assert (number.isdecimal(), len(number)) == (True, digits)
    offered = made.shown.get("choices", [number])
    assert (number in offered, len(set(offered))) == (True, max(choices, 1))


@given(failures=st.integers(0, 5), maximum=st.integers(1, 5), ends=st.booleans())
def test_a_failure_that_ends_leaves_no_attempt(failures: int, maximum: int, ends: bool) -> None:
    counted = rules.count_failure(failures, maximum, ends=ends)
    assert (counted.status == "FAILED") is (ends or failures + 1 >= maximum)
    assert (counted.failure_count == maximum) is (counted.status == "FAILED")
