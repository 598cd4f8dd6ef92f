"""``/v2/registrations`` (spec/cloud-api.md §3)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from cloud_client import Client, Service
from cloud_fake_core import iso

PATH = "/v2/registrations"


async def test_creation_answers_a_qr_code_of_code_and_signature(bank: Client) -> None:
    made = await bank.ok("POST", PATH, {"userId": "user-1", "appId": "app-a"})
    assert made["activationQrCodeData"] == made["activationCode"] + "#" + made["activationCodeSignature"]
    assert bank.core.activations[made["registrationId"]]["userId"] == "user-1"
    assert set(made) == {
        "activationQrCodeData",
        "activationCode",
        "activationCodeSignature",
        "registrationId",
    }


async def test_the_only_application_need_not_be_named(bank: Client) -> None:
    await bank.ok("POST", PATH, {"userId": "user-1"})
    assert bank.core.last("activation/init")["applicationId"] == "app-a"


async def test_one_of_several_applications_must_be_named(service: Service) -> None:
    caller = await service.user("two", ["app-a", "app-b"])
    assert await caller.violation("POST", PATH, {"userId": "user-1"}) == "appId"


async def test_application_of_others_is_refused_like_an_unknown_one(bank: Client, other_bank: Client) -> None:
    answers = [
        await bank.refused("POST", PATH, {"userId": "u", "appId": app_id}, code="ERROR_REGISTRATION")
        for app_id in ("app-b", "app-x")
    ]
    assert answers[0] == answers[1]


async def test_caller_without_applications_can_create_nothing(service: Service) -> None:
    nobody = await service.user("nobody")
    await nobody.refused("POST", PATH, {"userId": "u", "appId": "app-a"}, code="ERROR_REQUEST")
    await nobody.refused("POST", PATH, {"userId": "u"}, code="ERROR_REQUEST")
    assert service.core.paths() == []


@pytest.mark.parametrize(
    ("body", "sent"),
    [
        ({"otp": "1234"}, {"activationOtp": "1234"}),
        (
            {"otp": "1234", "commitPhase": "ON_KEY_EXCHANGE"},
            {"activationOtp": "1234", "commitPhase": "ON_KEY_EXCHANGE"},
        ),
        ({"otp": "1234", "otpValidation": "NONE"}, {}),
        ({"otpValidation": "NONE", "commitPhase": "ON_COMMIT"}, {"commitPhase": "ON_COMMIT"}),
        (
            {"otp": "1234", "otpValidation": "ON_KEY_EXCHANGE"},
            {"activationOtp": "1234", "commitPhase": "ON_KEY_EXCHANGE"},
        ),
        ({"otp": "1", "otpValidation": "ON_COMMIT"}, {"activationOtp": "1", "commitPhase": "ON_COMMIT"}),
        ({"flags": ["A", "B"]}, {"flags": ["A", "B"]}),
        ({"timestampRegistrationExpire": 4102444800000}, {"timestampActivationExpire": 4102444800000}),
        (
            {"timestampRegistrationExpire": "2100-01-01T01:00:00+01:00"},
            {"timestampActivationExpire": 4102444800000},
        ),
    ],
)
async def test_what_the_core_is_asked_to_create(
    bank: Client, body: dict[str, Any], sent: dict[str, Any]
) -> None:
    await bank.ok("POST", PATH, {"userId": "user-1", **body})
    assert bank.core.last("activation/init") == {"userId": "user-1", "applicationId": "app-a", **sent}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "userId"),
        ({"userId": ""}, "userId"),
        ({"userId": "u" * 256}, "userId"),
        ({"userId": [7]}, "userId"),
        ({"userId": None}, "userId"),
        ({"userId": "u", "commitPhase": "on_commit"}, "commitPhase"),
        (
            {"userId": "u", "otp": "1", "otpValidation": "ON_COMMIT", "commitPhase": "ON_COMMIT"},
            "otpValidation",
        ),
        ({"userId": "u", "otpValidation": "ON_COMMIT"}, "otp"),
        ({"userId": "u", "flags": [""]}, "flags.0"),
        ({"userId": "u", "flags": "A"}, "flags"),
        ({"userId": "u", "timestampRegistrationExpire": 1}, "timestampRegistrationExpire"),
        ({"userId": "u", "timestampRegistrationExpire": "soon"}, "timestampRegistrationExpire"),
        ({"userId": "u", "timestampRegistrationExpire": 10**30}, "timestampRegistrationExpire"),
    ],
)
async def test_creation_refuses_what_it_cannot_use(bank: Client, body: dict[str, Any], field: str) -> None:
    assert await bank.violation("POST", PATH, body) == field
    assert bank.core.paths() == []


@pytest.mark.parametrize("otp", ["", "12 34", "1234\n", "é", "1" * 65])
async def test_otp_format_has_a_code_of_its_own(bank: Client, otp: str) -> None:
    await bank.refused("POST", PATH, {"userId": "u", "otp": otp}, code="ERROR_OTP_INVALID")


@pytest.mark.parametrize("status", ["CREATED", "PENDING_COMMIT"])
async def test_registration_in_progress_is_told_only_if_asked(bank: Client, status: str) -> None:
    bank.core.activation("app-a", status=status)
    await bank.refused(
        "POST",
        PATH,
        {"userId": "user-1"},
        code="ERROR_REGISTRATION_NOT_ALLOWED",
        incompleteStatusCheck="true",
    )
    await bank.ok("POST", PATH, {"userId": "user-1"})


async def test_check_for_registrations_in_progress_lets_stale_ones_expire(bank: Client) -> None:
    stale = bank.core.activation("app-a", status="CREATED")

    def expire(request: dict[str, Any]) -> dict[str, Any]:
        bank.core.activations[stale]["activationStatus"] = "REMOVED"
        return {**bank.core.activations[stale], "activationFlags": []}

    bank.core.script("activation/status", expire)
    await bank.ok("POST", PATH, {"userId": "user-1"}, incompleteStatusCheck="true")


async def test_boolean_query_parameter_is_true_or_false(bank: Client) -> None:
    name = await bank.violation("POST", PATH, {"userId": "u"}, incompleteStatusCheck="1")
    assert name == "createRegistrationV2.incompleteStatusCheck"


@pytest.mark.parametrize(
    ("core_code", "code"),
    [("ERR0040", "ERROR_REGISTRATION"), ("ERR0015", "ERROR_REGISTRATION"), ("ERR0024", "ERROR_REQUEST")],
)
async def test_core_refusal_of_a_creation(bank: Client, core_code: str, code: str) -> None:
    bank.core.refuse("activation/init", core_code)
    await bank.refused("POST", PATH, {"userId": "u"}, code=code)


async def test_list_is_newest_first_and_hides_removed_ones(service: Service) -> None:
    caller = await service.user("two", ["app-a", "app-b"])
    core = service.core
    first = core.activation("app-a", status="ACTIVE")
    second = core.activation("app-b", status="CREATED")
    removed = core.activation("app-a", status="REMOVED")
    core.activation("app-a", protocol="fido2")
    core.activation("app-a", user_id="someone else")
    listed = await caller.ok("GET", PATH, userId="user-1")
    assert [item["registrationId"] for item in listed["registrations"]] == [second, first]
    listed = await caller.ok("GET", PATH, userId="user-1", removed="true")
    assert [item["registrationId"] for item in listed["registrations"]] == [removed, second, first]


async def test_list_item_has_no_detail_and_no_nulls(bank: Client) -> None:
    bank.core.activation("app-a", status="CREATED")
    (item,) = (await bank.ok("GET", PATH, userId="user-1"))["registrations"]
    assert set(item) == {
        "registrationId",
        "registrationStatus",
        "applicationId",
        "flags",
        "timestampCreated",
        "timestampLastUsed",
        "protocol",
    }
    assert item["flags"] == []
    assert item["protocol"] == "POWERAUTH"
    assert abs(item["timestampCreated"] - time.time() * 1000) < 60_000


async def test_list_reads_all_pages_of_the_core(bank: Client) -> None:
    for _ in range(501):
        bank.core.activation("app-a")
    listed = await bank.ok("GET", PATH, userId="user-1")
    assert len(listed["registrations"]) == 501
    page = await bank.ok("GET", PATH, userId="user-1", page="1", size="500")
    assert page["registrations"] == listed["registrations"][500:]


async def test_list_of_an_unknown_user_is_empty(bank: Client) -> None:
    assert await bank.ok("GET", PATH, userId="nobody") == {"registrations": []}


async def test_list_never_asks_for_applications_of_others(bank: Client, other_bank: Client) -> None:
    await bank.refused("GET", PATH, userId="u", appId="app-b", code="ERROR_REGISTRATION")


async def test_list_of_a_caller_without_applications_needs_no_core(service: Service) -> None:
    nobody = await service.user("nobody")
    assert await nobody.ok("GET", PATH, userId="u") == {"registrations": []}
    assert service.core.paths() == []


async def test_detail_of_a_created_registration_has_its_code(bank: Client) -> None:
    activation_id = bank.core.activation("app-a", status="CREATED")
    found = await bank.ok("GET", f"{PATH}/{activation_id}")
    assert found["activationQrCodeData"] == found["activationCode"] + "#" + found["activationCodeSignature"]
    assert "activationFingerprint" not in found
    assert found["userId"] == "user-1"
    assert found["version"] == 0


async def test_fingerprint_is_shown_while_pending_commit_only(bank: Client) -> None:
    activation_id = bank.core.activation("app-a", status="PENDING_COMMIT")
    found = await bank.ok("GET", f"{PATH}/{activation_id}")
    assert found["activationFingerprint"] == "12345678"
    assert not {"activationCode", "activationQrCodeData", "activationCodeSignature"} & set(found)
    await bank.ok("POST", f"{PATH}/{activation_id}/commit", {})
    found = await bank.ok("GET", f"{PATH}/{activation_id}")
    assert found["registrationStatus"] == "ACTIVE"
    assert "activationFingerprint" not in found


async def test_blocked_reason_is_shown_while_blocked_only(bank: Client) -> None:
    blocked = bank.core.activation("app-a", status="BLOCKED", blockedReason="LOST")
    removed = bank.core.activation("app-a", status="REMOVED", blockedReason="LOST")
    assert (await bank.ok("GET", f"{PATH}/{blocked}"))["blockedReason"] == "LOST"
    assert "blockedReason" not in await bank.ok("GET", f"{PATH}/{removed}")


async def test_commit_happens_once(bank: Client) -> None:
    activation_id = bank.core.activation("app-a", status="PENDING_COMMIT")
    path = f"{PATH}/{activation_id}/commit"
    assert await bank.ok("POST", path, {"externalUserId": "operator-1"}) == {"status": "OK"}
    assert bank.core.last("activation/commit")["externalUserId"] == "operator-1"
    await bank.refused("POST", path, {}, code="ERROR_REGISTRATION_CHANGE")


async def test_commit_needs_no_body(bank: Client) -> None:
    activation_id = bank.core.activation("app-a", status="PENDING_COMMIT")
    await bank.ok("POST", f"{PATH}/{activation_id}/commit")


async def test_wrong_otp_at_commit(bank: Client) -> None:
    activation_id = bank.core.activation("app-a", status="PENDING_COMMIT", otp="1234")
    path = f"{PATH}/{activation_id}/commit"
    await bank.refused("POST", path, {"otp": "9999"}, code="ERROR_OTP_INVALID")
    await bank.ok("POST", path, {"otp": "1234"})


async def test_commit_of_a_removed_registration(bank: Client) -> None:
    activation_id = bank.core.activation("app-a", status="REMOVED")
    await bank.refused("POST", f"{PATH}/{activation_id}/commit", {}, code="ERROR_REGISTRATION_CHANGE")


async def test_block_and_unblock_may_be_repeated(bank: Client) -> None:
    activation_id = bank.core.activation("app-a")
    path = f"{PATH}/{activation_id}"
    await bank.ok("PUT", path, {"change": "BLOCK", "blockedReason": "DEVICE_LOST"})
    await bank.ok("PUT", path, {"change": "BLOCK", "blockedReason": "OTHER"})
    assert (await bank.ok("GET", path))["blockedReason"] == "DEVICE_LOST"
    await bank.ok("PUT", path, {"change": "UNBLOCK"})
    await bank.ok("PUT", path, {"change": "UNBLOCK"})
    assert (await bank.ok("GET", path))["registrationStatus"] == "ACTIVE"


async def test_reason_is_another_name_of_blocked_reason(bank: Client) -> None:
    activation_id = bank.core.activation("app-a")
    await bank.ok("PUT", f"{PATH}/{activation_id}", {"change": "BLOCK", "reason": "STOLEN"})
    assert bank.core.last("activation/block")["reason"] == "STOLEN"


@pytest.mark.parametrize("change", ["BLOCK", "UNBLOCK"])
async def test_block_needs_the_right_state(bank: Client, change: str) -> None:
    activation_id = bank.core.activation("app-a", status="CREATED")
    await bank.refused("PUT", f"{PATH}/{activation_id}", {"change": change}, code="ERROR_REGISTRATION_CHANGE")


async def test_unknown_change_is_refused(bank: Client) -> None:
    activation_id = bank.core.activation("app-a")
    assert await bank.violation("PUT", f"{PATH}/{activation_id}", {"change": "block"}) == "change"


async def test_removal_may_be_repeated(bank: Client) -> None:
    activation_id = bank.core.activation("app-a")
    path = f"{PATH}/{activation_id}"
    assert await bank.ok("DELETE", path) == {"status": "OK"}
    assert bank.core.last("activation/remove")["revokeRecoveryCodes"] is True
    await bank.ok("DELETE", path, externalUserId="op", revokeRecoveryCodes="false")
    sent = bank.core.last("activation/remove")
    assert (sent["revokeRecoveryCodes"], sent["externalUserId"]) == (False, "op")


async def test_otp_can_be_set_while_pending_commit(bank: Client) -> None:
    pending = bank.core.activation("app-a", status="PENDING_COMMIT")
    active = bank.core.activation("app-a")
    await bank.ok("PUT", f"{PATH}/{pending}/otp", {"otp": "42"})
    await bank.refused("PUT", f"{PATH}/{active}/otp", {"otp": "42"}, code="ERROR_REGISTRATION_CHANGE")
    await bank.refused("PUT", f"{PATH}/{pending}/otp", {"otp": "4 2"}, code="ERROR_OTP_INVALID")
    bank.core.refuse("activation/otp/update", "ERR0032")
    await bank.refused("PUT", f"{PATH}/{pending}/otp", {"otp": "42"}, code="ERROR_OTP_INVALID")


async def test_name_can_be_changed(bank: Client) -> None:
    activation_id = bank.core.activation("app-a")
    await bank.ok("PUT", f"{PATH}/{activation_id}/name", {"name": "Můj telefon"})
    assert bank.core.activations[activation_id]["activationName"] == "Můj telefon"
    assert await bank.violation("PUT", f"{PATH}/{activation_id}/name", {"name": " "}) == "name"
    blocked = bank.core.activation("app-a", status="BLOCKED")
    await bank.refused("PUT", f"{PATH}/{blocked}/name", {"name": "x"}, code="ERROR_REGISTRATION_CHANGE")


async def test_flags_are_added_replaced_and_removed(bank: Client) -> None:
    activation_id = bank.core.activation("app-a")
    path = f"{PATH}/{activation_id}/flags"
    assert await bank.ok("GET", path) == {"registrationId": activation_id, "flags": []}
    assert (await bank.ok("POST", path, {"flags": ["B", "A"]}))["flags"] == ["A", "B"]
    assert (await bank.ok("PUT", path, {"flags": ["C", "C", "D"]}))["flags"] == ["C", "D"]
    assert (await bank.ok("DELETE", f"{path}?flags=D,X"))["flags"] == ["C"]
    assert (await bank.ok("PUT", path, {"flags": []}))["flags"] == []
    assert (await bank.ok("PUT", path, {"flags": []}))["flags"] == []


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("flags=EU%2CCZ", ["EU", "CZ", "a b"]),
        ("flags=EU,CZ", ["EU,CZ", "a b"]),
        ("flags=EU&flags=CZ", ["EU,CZ", "a b"]),
        ("flags=EU,&flags=a+b,EU%2cCZ", ["CZ"]),
    ],
)
async def test_a_comma_inside_a_flag_is_encoded(bank: Client, query: str, left: list[str]) -> None:
    path = f"{PATH}/{bank.core.activation('app-a')}/flags"
    await bank.ok("PUT", path, {"flags": ["EU", "CZ", "EU,CZ", "a b"]})
    assert sorted((await bank.ok("DELETE", f"{path}?{query}"))["flags"]) == sorted(left)


async def test_flags_to_add_or_remove_must_be_named(bank: Client) -> None:
    path = f"{PATH}/{bank.core.activation('app-a')}/flags"
    assert await bank.violation("POST", path, {"flags": []}) == "flags"
    assert await bank.violation("DELETE", f"{path}?flags=,") == "removeRegistrationFlags.flags"
    assert await bank.violation("DELETE", path) == "removeRegistrationFlags.flags"


async def test_history_covers_the_last_thirty_days_by_default(bank: Client) -> None:
    activation_id = bank.core.activation("app-a")
    bank.core.history.append(
        {
            "id": 1,
            "activationId": activation_id,
            "activationStatus": "ACTIVE",
            "eventReason": None,
            "externalUserId": "op",
            "activationName": "My phone",
            "timestampCreated": iso(1_700_000_000_123),
            "version": 3,
        }
    )
    found = await bank.ok("GET", f"{PATH}/{activation_id}/history")
    assert found == {
        "items": [
            {
                "registrationStatus": "ACTIVE",
                "externalUserId": "op",
                "name": "My phone",
                "version": 3,
                "timestampCreated": 1_700_000_000_123,
            }
        ]
    }
    sent = bank.core.last("activation/history")
    assert sent["timestampTo"] - sent["timestampFrom"] == 30 * 86_400_000


async def test_history_refuses_a_period_that_ends_before_it_starts(bank: Client) -> None:
    path = f"{PATH}/{bank.core.activation('app-a')}/history"
    name = await bank.violation("GET", path, timestampFrom="2", timestampTo="1")
    assert name == "getRegistrationHistory.timestampFrom"


async def test_lookup_is_narrowed_to_the_callers_applications(bank: Client) -> None:
    bank.core.application("app-b")
    mine = bank.core.activation("app-a", activationFlags=["F"])
    bank.core.activation("app-b", activationFlags=["F"])
    request = {"userIds": ["user-1"], "appIds": ["app-a", "app-b"], "flags": ["F"]}
    found = await bank.ok("POST", f"{PATH}/lookup", request)
    assert [item["registrationId"] for item in found["registrations"]] == [mine]
    assert found["registrations"][0]["userId"] == "user-1"
    assert bank.core.last("activation/lookup")["applicationIds"] == ["app-a"]


async def test_lookup_without_a_common_application_needs_no_core(bank: Client) -> None:
    request = {"userIds": ["user-1"], "appIds": ["app-b"]}
    assert await bank.ok("POST", f"{PATH}/lookup", request) == {"registrations": []}
    assert bank.core.paths() == []


async def test_lookup_passes_every_condition(bank: Client) -> None:
    request = {
        "userIds": ["user-1"],
        "registrationStatus": "ACTIVE",
        "timestampLastUsedBefore": 2000,
        "timestampLastUsedAfter": "1970-01-01T00:00:01Z",
    }
    await bank.ok("POST", f"{PATH}/lookup", request)
    assert bank.core.last("activation/lookup") == {
        "userIds": ["user-1"],
        "applicationIds": ["app-a"],
        "activationStatus": "ACTIVE",
        "timestampLastUsedBefore": 2000,
        "timestampLastUsedAfter": 1000,
    }
    assert await bank.violation("POST", f"{PATH}/lookup", {"userIds": []}) == "userIds"
