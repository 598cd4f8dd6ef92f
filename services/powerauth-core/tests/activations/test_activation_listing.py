"""List, lookup, history, flags (spec/core-api.md §7.7, §7.8, §7.14, §7.15)."""

from __future__ import annotations

from typing import Any

import pytest
from core_test_api import Api, NewApplication
from core_test_phones import Activate, InitActivation, RunOutOfTime
from core_test_rows import found
from sqlalchemy import select, update

from powerauth_contracts import moments
from powerauth_contracts.enums import ActivationStatus
from powerauth_core.activations.models import Activation
from powerauth_core.audit.models import AuditLog
from powerauth_core.container import Core

pytestmark = pytest.mark.dialects("sqlite", "postgresql")


def _ids(answer: dict[str, Any]) -> list[str]:
    return [item["activationId"] for item in answer["activations"]]


async def test_list_is_newest_first_paged_and_filtered(
    api: Api, init: InitActivation, activate: Activate, new_application: NewApplication
) -> None:
    first = await activate()
    second = (await init(protocol="fido2"))["activationId"]
    other = await new_application("other")
    third = (await init(applicationId=other.application_id))["activationId"]
    await init("somebody-else")

    assert _ids(await api.ok("activation/list", userId="user-1")) == [third, second, first.activation_id]
    by_state = await api.ok("activation/list", userId="user-1", activationStatuses=["CREATED"])
    assert _ids(by_state) == [third, second]
    for protocols, expected in (
        (["fido2"], [second]),
        (["powerauth"], [third, first.activation_id]),
        (None, [third, second, first.activation_id]),
    ):
        assert _ids(await api.ok("activation/list", userId="user-1", protocols=protocols)) == expected
    page = {"pageNumber": 1, "pageSize": 2}
    assert _ids(await api.ok("activation/list", userId="user-1", **page)) == [first.activation_id]
    for application, expected in (("other", [third]), ("nobody's", [])):
        assert _ids(await api.ok("activation/list", userId="user-1", applicationId=application)) == expected
    scoped = {"userId": "user-1", "applicationIds": ["test-application"]}
    assert _ids(await api.ok("activation/list", **scoped)) == [second, first.activation_id]
    assert _ids(await api.ok("activation/list", **scoped, applicationId="other")) == []
    for bad in ({"pageNumber": -1}, {"pageSize": 0}, {"userId": None}, {"userId": ""}):
        assert await api.error("activation/list", **({"userId": "user-1"} | bad)) == "ERR0024"


async def test_list_shows_what_is_known_of_an_activation(api: Api, activate: Activate) -> None:
    device = await activate(flags=["A"])
    (item,) = (await api.ok("activation/list", userId="user-1"))["activations"]
    assert item["devicePublicKeyBase64"] is not None
    assert {
        name: item[name] for name in ("activationId", "activationStatus", "activationFlags", "version")
    } == {
        "activationId": device.activation_id,
        "activationStatus": "ACTIVE",
        "activationFlags": ["A"],
        "version": 3,
    }
    assert (item["applicationId"], item["applicationName"]) == ("test-application", None)


async def test_list_removes_what_ran_out_of_time(
    api: Api, init: InitActivation, run_out_of_time: RunOutOfTime
) -> None:
    late, fresh = (await init())["activationId"], (await init())["activationId"]
    await run_out_of_time(late)
    found = await api.ok("activation/list", userId="user-1", activationStatuses=["CREATED"])
    states = {item["activationId"]: item["activationStatus"] for item in found["activations"]}
    assert states == {late: "REMOVED", fresh: "CREATED"}
    history = await api.ok("activation/history", activationId=late)
    assert [item["activationStatus"] for item in history["items"]] == ["REMOVED", "CREATED"]


async def test_lookup_matches_users_applications_time_state_and_all_flags(
    api: Api, core: Core, init: InitActivation, activate: Activate, new_application: NewApplication
) -> None:
    active = (await activate(flags=["A", "B"])).activation_id
    created = (await init("user-2", flags=["A"]))["activationId"]
    other = await new_application("other")
    elsewhere = (await init("user-2", applicationId=other.application_id))["activationId"]
    async with core.database.transaction() as session:
        moment = moments.from_ms(1_000_000)
        await session.execute(
            update(Activation).where(Activation.activation_id == created).values(timestamp_last_used=moment)
        )
    users = {"userIds": ["user-1", "user-2"]}
    cases: list[tuple[dict[str, Any], set[str]]] = [
        ({}, {active, created, elsewhere}),
        ({"applicationIds": []}, set()),
        ({"applicationIds": ["other", "nobody's"]}, {elsewhere}),
        ({"applicationIds": ["nobody's"]}, set()),
        ({"activationStatus": "ACTIVE"}, {active}),
        ({"activationFlags": ["A"]}, {active, created}),
        ({"activationFlags": ["B", "A"]}, {active}),
        ({"timestampLastUsedBefore": 1_000_000}, set()),
        ({"timestampLastUsedBefore": 1_000_001}, {created}),
        ({"timestampLastUsedAfter": 1_000_000}, {active, created, elsewhere}),
        ({"timestampLastUsedAfter": 1_000_001}, {active, elsewhere}),
        ({"userIds": ["user-2"]}, {created, elsewhere}),
    ]
    for request, expected in cases:
        assert set(_ids(await api.ok("activation/lookup", **(users | request)))) == expected, request
    assert await api.error("activation/lookup", userIds=[]) == "ERR0024"
    assert await api.error("activation/lookup", userIds=None) == "ERR0024"


async def test_history_is_inclusive_newest_first_and_open_without_bounds(
    api: Api, activate: Activate
) -> None:
    device = await activate()
    request = {"activationId": device.activation_id}
    items = (await api.ok("activation/history", **request))["items"]
    assert [item["activationStatus"] for item in items] == ["ACTIVE", "PENDING_COMMIT", "CREATED"]
    nothing = {"timestampFrom": "2100-01-01T00:00:00Z", "timestampTo": "2100-01-02T00:00:00Z"}
    assert (await api.ok("activation/history", **request, **nothing))["items"] == []
    everything = {"timestampFrom": 0, "timestampTo": "2100-01-01T00:00:00Z"}
    assert (await api.ok("activation/history", **request, **everything))["items"] == items
    assert (await api.ok("activation/history", activationId="unknown"))["items"] == []


async def test_flags_are_added_sorted_replaced_sorted_and_removed_in_order(
    api: Api, core: Core, activate: Activate
) -> None:
    device = await activate(ActivationStatus.REMOVED, flags=["M"])
    request = {"activationId": device.activation_id}
    before = await api.ok("activation/status", **request)
    for path, flags, expected in (
        ("create", ["Z", "A", "Z"], ["A", "M", "Z"]),
        ("create", ["A"], ["A", "M", "Z"]),
        ("remove", ["M", "X"], ["A", "Z"]),
        ("update", ["Q", "B", "Q"], ["B", "Q", "Q"]),
        ("list", None, ["B", "Q", "Q"]),
    ):
        answer = await api.ok(f"activation/flags/{path}", **request, activationFlags=flags)
        assert answer == {"activationId": device.activation_id, "activationFlags": expected}, path
    after = await api.ok("activation/status", **request)
    assert after["timestampLastChange"] == before["timestampLastChange"]
    messages = await found(core, select(AuditLog.message))
    # The second "create" adds nothing and is not recorded.
    assert messages.count("Activation flags changed") == 3


async def test_flags_must_fit_and_must_be_given(api: Api, activate: Activate) -> None:
    device = await activate(ActivationStatus.CREATED)
    for flags in (None, [], [""], ["x" * 254], [None]):
        for path in ("create", "update", "remove"):
            _, body = await api.post(
                f"activation/flags/{path}", activationId=device.activation_id, activationFlags=flags
            )
            if flags == ["x" * 254] and path == "remove":
                assert body["status"] == "OK"
            else:
                assert body["responseObject"]["code"] == "ERR0024", (path, flags)
