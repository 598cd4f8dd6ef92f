"""Operation lists and their filters (spec/core-api.md §19.5, §19.6)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from core_test_api import NewApplication, Serve

from servicekit import clock

if TYPE_CHECKING:
    from operations.conftest import Bank


pytestmark = pytest.mark.dialects("sqlite", "postgresql")

LISTS = ["operation/list", "operation/list/pending"]


async def ids(bank: Bank, path: str = "operation/list", **members: Any) -> list[str]:
    request = {"userId": "user", "applications": ["bank"]} | members
    return [operation["id"] for operation in await bank.api.ok(path, **request)]


async def created(bank: Bank, count: int, **members: Any) -> list[str]:
    """Ids of new operations, newest first, a second apart."""
    now = clock.now()
    made = []
    for age in range(count):
        operation = await bank.create(**members)
        await bank.change(operation, timestamp_created=now - timedelta(seconds=age))
        made.append(operation["id"])
    return made


@pytest.mark.parametrize("path", LISTS)
async def test_newest_operations_come_first_page_by_page(bank: Bank, path: str) -> None:
    made = await created(bank, 5)
    assert await ids(bank, path) == made
    assert await ids(bank, path, pageSize=2) == made[:2]
    assert await ids(bank, path, pageNumber=1, pageSize=2) == made[2:4]
    assert await ids(bank, path, pageNumber=2, pageSize=2) == made[4:]
    assert await ids(bank, path, pageNumber=3, pageSize=2) == []
    assert await ids(bank, path, pageNumber=None, pageSize=None) == made
    assert await ids(bank, path, pageNumber=2**31 - 1, pageSize=2**31 - 1) == []


async def test_the_default_page_is_a_setting(bank: Bank, serve: Serve) -> None:
    made = await created(bank, 3)
    small = await serve(default_page_size=2, default_page_number=0)
    found = await small.ok("operation/list", userId="user", applications=["bank"])
    assert [operation["id"] for operation in found] == made[:2]


async def test_only_the_users_own_operations_are_listed(bank: Bank) -> None:
    mine = await bank.create()
    await bank.create(userId="other")
    await bank.create(userId=None)
    for path in LISTS:
        assert await ids(bank, path) == [mine["id"]]
        assert await ids(bank, path, userId="nobody") == []


async def test_one_common_application_is_enough_and_lists_once(
    bank: Bank, new_application: NewApplication
) -> None:
    await new_application("shop")
    await new_application("kiosk")
    both = await bank.create(applications=["bank", "shop"])
    kiosk = await bank.create(applications=["kiosk"])
    assert await ids(bank) == [both["id"]]
    assert await ids(bank, applications=["shop"]) == [both["id"]]
    assert await ids(bank, applications=["kiosk"]) == [kiosk["id"]]
    found = await ids(bank, applications=["bank", "shop", "kiosk"])
    assert sorted(found) == sorted([both["id"], kiosk["id"]])
    (listed,) = await bank.api.ok("operation/list", userId="user", applications=["shop"])
    assert sorted(listed["applications"]) == ["bank", "shop"]


async def test_all_states_are_listed_but_only_pending_ones_as_pending(bank: Bank) -> None:
    pending, approved, expired = [await bank.create() for _ in range(3)]
    await bank.approve(approved)
    await bank.let_expire(expired)
    everything = await bank.api.ok("operation/list", userId="user", applications=["bank"])
    assert {operation["id"]: operation["status"] for operation in everything} == {
        pending["id"]: "PENDING",
        approved["id"]: "APPROVED",
        expired["id"]: "EXPIRED",
    }
    assert await ids(bank, "operation/list/pending") == [pending["id"]]


async def test_expired_operations_leave_no_gap_in_a_page_of_pending_ones(bank: Bank) -> None:
    made = await created(bank, 4)
    await bank.let_expire({"id": made[0]}, {"id": made[2]})
    assert await ids(bank, "operation/list/pending", pageSize=2) == [made[1], made[3]]


async def test_only_the_pending_list_shows_codes_and_none_shows_the_device(bank: Bank) -> None:
    user_agent = "PowerAuthNetworking/1.5.1 (en; wifi) com.example/1.0 (Apple; iOS/26.0; iphone14,5)"
    made = await bank.create(proximityCheckEnabled=True, additionalData={"userAgent": user_agent})
    request = {"userId": "user", "applications": ["bank"]}
    (pending,) = await bank.api.ok("operation/list/pending", **request)
    (listed,) = await bank.api.ok("operation/list", **request)
    assert len(pending["proximityOtp"]) == 8
    assert listed["proximityOtp"] is None
    assert pending["additionalData"] == listed["additionalData"] == {"userAgent": user_agent}
    assert listed | {"proximityOtp": made["proximityOtp"]} == made


@pytest.mark.parametrize("path", LISTS)
async def test_an_activation_sees_what_is_bound_to_it_or_to_none(bank: Bank, path: str) -> None:
    await bank.activation("act-1")
    await bank.activation("act-2")
    free = await bank.create()
    first = await bank.create(activationId="act-1")
    second = await bank.create(activationId="act-2")
    everything = sorted([free["id"], first["id"], second["id"]])
    assert sorted(await ids(bank, path)) == everything
    assert sorted(await ids(bank, path, activationId="act-1")) == sorted([free["id"], first["id"]])
    assert await ids(bank, path, activationId="unknown") == [free["id"]]


FLAGS: dict[str, tuple[list[str] | None, set[str | None]]] = {
    "act-1": (None, {None, "A", "B"}),
    "act-2": ([], {None, "A", "B"}),
    "act-3": (["A"], {None, "A"}),
    "act-4": (["A", "B", "C"], {None, "A", "B"}),
    "act-5": (["C"], {None}),
    "act-6": (["UNEXPECTED_OPERATION"], {None, "A", "B"}),
    "act-7": (["A", "UNEXPECTED_OPERATION"], {None, "A"}),
}


@pytest.mark.parametrize("path", LISTS)
async def test_an_activation_with_flags_sees_only_operations_with_its_flags(bank: Bank, path: str) -> None:
    for flag in (None, "A", "B"):
        await bank.create(activationFlag=flag)
    for activation_id, (flags, seen) in FLAGS.items():
        await bank.activation(activation_id, flags=flags)
        request = {"userId": "user", "applications": ["bank"], "activationId": activation_id}
        found = await bank.api.ok(path, **request)
        assert {operation["activationFlag"] for operation in found} == seen


async def test_operations_are_found_by_their_external_id(bank: Bank, new_application: NewApplication) -> None:
    await new_application("shop")
    mine = await bank.create(externalId="tx")
    unassigned = await bank.create(externalId="tx", userId=None)
    elsewhere = await bank.create(externalId="tx", applications=["shop"])
    await bank.create(externalId="other")
    await bank.create()
    await bank.let_expire(mine)
    found = await bank.api.ok("operation/list/external", externalId="tx", applications=["bank"])
    assert [operation["id"] for operation in found] == [unassigned["id"], mine["id"]]
    assert [operation["status"] for operation in found] == ["PENDING", "EXPIRED"]
    assert found[0]["proximityOtp"] is None
    request = {"externalId": "tx", "applications": ["bank", "shop"]}
    assert len(await bank.api.ok("operation/list/external", **request)) == 3
    (third,) = await bank.api.ok("operation/list/external", **request, pageNumber=2, pageSize=1)
    assert third["id"] == mine["id"]
    assert elsewhere["id"] != mine["id"]
    assert await bank.api.ok("operation/list/external", externalId="none", applications=["bank"]) == []


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"applications": []}, "ERR0024"),
    ({"pageSize": 2**31}, "ERR0024"),
    ({"pageSize": "5.0"}, "ERROR_HTTP_REQUEST"),
    ({"applications": ["unknown"]}, "ERR0015"),
]


@pytest.mark.parametrize("path", [*LISTS, "operation/list/external"])
async def test_refused_lists(bank: Bank, path: str) -> None:
    for members, code in REFUSED:
        request = {"userId": "user", "externalId": "tx", "applications": ["bank"]} | members
        assert (members, await bank.api.error(path, **request)) == (members, code)


async def test_lists_inside_the_scope_answer(bank: Bank) -> None:
    made = await bank.create()
    assert await ids(bank, applicationIds=["bank", "shop"]) == [made["id"]]
