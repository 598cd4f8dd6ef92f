"""``/v2/operations`` without offline approval (spec/cloud-api.md §5)."""

from __future__ import annotations

from typing import Any

import pytest
from cloud_client import Client, Service
from cloud_fake_core import FakeCore

PATH = "/v2/operations"


@pytest.fixture(autouse=True)
def _template(core: FakeCore) -> None:
    core.template("login")


async def test_creation_answers_the_operation_without_additional_data(bank: Client) -> None:
    made = await bank.ok(
        "POST",
        PATH,
        {
            "userId": "user-1",
            "template": "login",
            "externalId": "pay-7",
            "silent": True,
            "operationType": "x",
        },
    )
    assert made["status"] == "PENDING"
    assert (made["template"], made["operationType"], made["externalId"]) == ("login", "login", "pay-7")
    assert made["parameters"] == {}
    assert made["timestampExpires"] - made["timestampCreated"] == 300_000
    assert made["signatureType"] == ["POSSESSION_KNOWLEDGE", "POSSESSION_BIOMETRY"]
    assert made["applications"] == ["app-a"]
    assert "additionalData" not in made
    assert "statusReason" not in made


async def test_operation_is_made_in_all_applications_of_the_caller(service: Service) -> None:
    caller = await service.user("two", ["app-a", "app-b"])
    await caller.ok("POST", PATH, {"template": "login"})
    sent = service.core.last("operation/create")
    assert sent["applications"] == ["app-a", "app-b"]
    assert "userId" not in sent
    await caller.ok("POST", PATH, {"template": "login", "applications": ["app-b", "app-b"]})
    assert service.core.last("operation/create")["applications"] == ["app-b"]


async def test_what_the_core_is_asked_to_create(bank: Client) -> None:
    registration = bank.core.activation("app-a")
    await bank.ok(
        "POST",
        PATH,
        {
            "userId": "user-1",
            "template": "login",
            "flag": "F",
            "timestampExpires": 4102444800000,
            "parameters": {"amount": 100.5, "count": 7, "urgent": True, "note": "a\nb"},
            "proximityCheckEnabled": True,
            "additionalData": {"any": {"thing": None}},
            "registrationId": registration,
        },
    )
    assert bank.core.last("operation/create") == {
        "applications": ["app-a"],
        "applicationIds": ["app-a"],
        "templateName": "login",
        "userId": "user-1",
        "activationFlag": "F",
        "activationId": registration,
        "timestampExpires": 4102444800000,
        "parameters": {"amount": "100.5", "count": "7", "urgent": "true", "note": "a\nb"},
        "additionalData": {"any": {"thing": None}},
        "proximityCheckEnabled": True,
    }


async def test_registration_brings_its_user(bank: Client) -> None:
    registration = bank.core.activation("app-a", "user-9")
    made = await bank.ok("POST", PATH, {"template": "login", "registrationId": registration})
    assert made["userId"] == "user-9"
    assert made["registrationId"] == registration


async def test_registration_must_be_the_users(bank: Client) -> None:
    registration = bank.core.activation("app-a", "user-9")
    body = {"userId": "user-1", "template": "login", "registrationId": registration}
    await bank.refused("POST", PATH, body, code="ERROR_REGISTRATION_NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "template"),
        ({"template": ""}, "template"),
        ({"template": "login", "userId": ""}, "userId"),
        ({"template": "login", "language": "eng"}, "language"),
        ({"template": "login", "language": "e1"}, "language"),
        ({"template": "login", "externalId": "x" * 256}, "externalId"),
        ({"template": "login", "timestampExpires": 1000}, "timestampExpires"),
        ({"template": "login", "parameters": {"amount": {}}}, "parameters.amount"),
        ({"template": "login", "parameters": {"amount": []}}, "parameters.amount"),
        ({"template": "login", "parameters": {"amount": None}}, "parameters.amount"),
        ({"template": "login", "parameters": {"amount": "1\t0"}}, "parameters.amount"),
        ({"template": "login", "parameters": {"amount": "\x00"}}, "parameters.amount"),
        ({"template": "login", "proximityCheckEnabled": "yes"}, "proximityCheckEnabled"),
        ({"template": "login", "registrationId": "a b"}, "registrationId"),
        ({"template": "login", "applications": []}, "applications"),
        ({"template": "login", "applications": ["app-x"]}, "applications"),
        ({"template": "unknown"}, "template"),
    ],
)
async def test_creation_refuses_what_it_cannot_use(bank: Client, body: dict[str, Any], field: str) -> None:
    assert await bank.violation("POST", PATH, body) == field


async def test_missing_parameters_are_named(bank: Client) -> None:
    bank.core.template("payment", missing=["amount", "iban"])
    found = await bank.refused("POST", "/v2/operations", {"template": "payment"}, code="ERROR_REQUEST")
    assert found["message"] == "missing parameters: amount, iban"
    assert [item["fieldName"] for item in found["violations"]] == ["parameters.amount", "parameters.iban"]


@pytest.mark.parametrize("path", ["/v2/operations", "/operations"])
async def test_a_user_who_is_asked_too_often_is_left_alone(bank: Client, path: str) -> None:
    bank.core.template("payment", over=True)
    body = {"template": "payment", "userId": "user-1"}
    await bank.refused("POST", path, body, status=429, code="HTTP_429")


@pytest.mark.parametrize("path", ["/v2/operations", "/operations"])
async def test_operation_without_texts_is_made_with_a_warning(
    service: Service, bank: Client, path: str
) -> None:
    service.core.template("login")
    made = await bank.ok("POST", path, {"template": "login", "userId": "user-1"})
    assert made["warnings"] == [
        f"there are no texts for operation type {made['operationType']}: the app cannot show the operation"
    ]
    service.core.texts[made["operationType"], "en"] = {
        "placeholder": made["operationType"],
        "language": "en",
        "title": "t",
        "message": "m",
    }
    service.cloud.texts.forget(made["operationType"])
    assert "warnings" not in await bank.ok("POST", path, {"template": "login", "userId": "user-1"})


async def test_caller_without_applications_can_create_nothing(service: Service) -> None:
    nobody = await service.user("nobody")
    assert await nobody.violation("POST", PATH, {"template": "login"}) == "applications"
    assert service.core.paths() == []


async def test_detail_has_additional_data_and_proximity_otp(bank: Client) -> None:
    operation_id = bank.core.operation("app-a", proximityOtp="12345678")
    found = await bank.ok("GET", f"{PATH}/{operation_id}")
    assert found["additionalData"] == {}
    assert found["proximityOtp"] == "12345678"
    bank.core.operations[operation_id] |= {"status": "EXPIRED", "additionalData": {"device": {"os": None}}}
    found = await bank.ok("GET", f"{PATH}/{operation_id}")
    assert found["status"] == "EXPIRED"
    assert found["additionalData"] == {"device": {"os": None}}
    assert "proximityOtp" not in found


async def test_reading_does_not_claim(bank: Client) -> None:
    operation_id = bank.core.operation("app-a", user_id=None)
    with bank.core.no_change():
        assert "userId" not in await bank.ok("GET", f"{PATH}/{operation_id}")
    assert bank.core.last("operation/detail") == {"operationId": operation_id, "applicationIds": ["app-a"]}


async def test_operation_of_several_applications_is_seen_by_each(bank: Client, other_bank: Client) -> None:
    operation_id = bank.core.operation("app-a", "app-b")
    for caller in (bank, other_bank):
        await caller.ok("GET", f"{PATH}/{operation_id}")


async def test_cancel_happens_once_and_keeps_its_reason(bank: Client) -> None:
    operation_id = bank.core.operation("app-a")
    path = f"{PATH}/{operation_id}"
    assert await bank.ok("DELETE", path, statusReason="X") == {"status": "OK"}
    found = await bank.ok("GET", path)
    assert (found["status"], found["statusReason"]) == ("CANCELED", "X")
    await bank.refused("DELETE", path, statusReason="X", code="ERROR_OPERATION_STATE_CHANGE")


@pytest.mark.parametrize("reason", ["", "a b", "x" * 33, "é"])
async def test_status_reason_has_a_pattern(bank: Client, reason: str) -> None:
    path = f"{PATH}/{bank.core.operation('app-a')}"
    assert await bank.violation("DELETE", path, statusReason=reason) == "cancelOperationV2.statusReason"


async def test_list_is_newest_first_without_passkeys_and_otp(bank: Client) -> None:
    first = bank.core.operation(
        "app-a", additionalData={"allowCredentials": [1], "kept": 1}, proximityOtp="1" * 8
    )
    second = bank.core.operation("app-a", status="APPROVED")
    bank.core.operation("app-b")
    bank.core.operation("app-a", user_id=None)
    listed = (await bank.ok("GET", PATH, userId="user-1"))["operations"]
    assert [item["operationId"] for item in listed] == [second, first]
    assert listed[1]["additionalData"] == {"kept": 1}
    assert "proximityOtp" not in listed[1]
    pending = (await bank.ok("GET", PATH, userId="user-1", pending="true", page="0", size="3"))["operations"]
    assert [item["operationId"] for item in pending] == [first]
    assert bank.core.last("operation/list/pending")["pageSize"] == 3


async def test_list_by_external_id(bank: Client) -> None:
    operation_id = bank.core.operation("app-a", externalId="pay-7")
    bank.core.operation("app-a", externalId="pay-8")
    listed = (await bank.ok("GET", PATH, externalId="pay-7"))["operations"]
    assert [item["operationId"] for item in listed] == [operation_id]


async def test_list_for_a_registration(bank: Client) -> None:
    registration = bank.core.activation("app-a")
    await bank.ok("GET", PATH, userId="user-1", registrationId=registration)
    assert bank.core.last("operation/list")["activationId"] == registration


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({}, "userId"),
        ({"userId": ""}, "userId"),
        ({"userId": "u", "externalId": "e"}, "externalId"),
        ({"userId": "u", "pending": "True"}, "pending"),
        ({"userId": "u", "size": "0"}, "size"),
        ({"userId": "u", "size": "1001"}, "size"),
        ({"userId": "u", "page": "-1"}, "page"),
        ({"userId": "u", "registrationId": "%"}, "registrationId"),
        ({"userId": "u\x00"}, "userId"),
    ],
)
async def test_list_refuses_what_it_cannot_use(bank: Client, query: dict[str, str], field: str) -> None:
    assert await bank.violation("GET", PATH, **query) == f"listOperationsV2.{field}"


async def test_list_of_a_caller_without_applications_needs_no_core(service: Service) -> None:
    nobody = await service.user("nobody")
    assert await nobody.ok("GET", PATH, userId="u") == {"operations": []}
    assert await nobody.ok("GET", PATH, externalId="e") == {"operations": []}
    assert service.core.paths() == []


async def test_claim_binds_an_operation_to_one_user(bank: Client) -> None:
    operation_id = bank.core.operation("app-a", user_id=None)
    path = f"{PATH}/{operation_id}/claim"
    assert (await bank.ok("POST", path, {"userId": "user-1"}))["userId"] == "user-1"
    await bank.ok("POST", path, {"userId": "user-1"})
    await bank.refused("POST", path, {"userId": "user-2"}, code="ERROR_OPERATION_NOT_FOUND")


async def test_fail_counts_up_to_the_limit(bank: Client) -> None:
    operation_id = bank.core.operation("app-a", maxFailureCount=2)
    path = f"{PATH}/{operation_id}/fail"
    assert (await bank.ok("POST", path, {"additionalData": {"why": "x"}}))["failureCount"] == 1
    failed = await bank.ok("POST", path)
    assert (failed["status"], failed["additionalData"]) == ("FAILED", {"why": "x"})
    await bank.refused("POST", path, code="ERROR_OPERATION_STATE_CHANGE")


async def test_reject_by_the_support_desk(bank: Client) -> None:
    operation_id = bank.core.operation("app-a")
    path = f"{PATH}/{operation_id}/reject"
    rejected = await bank.ok("POST", path, {"userId": "user-1", "appId": "app-a"})
    assert rejected["status"] == "REJECTED"
    await bank.refused(
        "POST", path, {"userId": "user-1", "appId": "app-a"}, code="ERROR_OPERATION_STATE_CHANGE"
    )


async def test_reject_for_another_user_finds_nothing(bank: Client) -> None:
    path = f"{PATH}/{bank.core.operation('app-a')}/reject"
    with bank.core.no_change():
        await bank.refused(
            "POST", path, {"userId": "user-2", "appId": "app-a"}, code="ERROR_OPERATION_NOT_FOUND"
        )


async def test_reject_needs_an_application_of_the_operation(service: Service) -> None:
    caller = await service.user("two", ["app-a", "app-b"])
    path = f"{PATH}/{service.core.operation('app-a', 'app-c')}/reject"
    for app_id in ("app-b", "app-c", "app-x"):
        assert await caller.violation("POST", path, {"userId": "user-1", "appId": app_id}) == "appId"


async def test_server_side_approval_is_not_offered(bank: Client) -> None:
    path = f"{PATH}/{bank.core.operation('app-a')}/approve"
    await bank.refused("POST", path, {}, status=404, code="ERROR_NOT_FOUND")
