"""``operation/create`` (spec/core-api.md §19.1, §19.2)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from core_test_api import NewApplication, Serve

from powerauth_core.operations import creator
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.common.totp import totp
from servicekit import clock

if TYPE_CHECKING:
    from operations.conftest import Bank, ReadCallbacks, ReadEvents


pytestmark = pytest.mark.dialects("sqlite", "postgresql")

MEMBERS = [
    *("id", "userId", "applications", "externalId", "activationFlag", "operationType", "templateName"),
    *("data", "parameters", "additionalData", "status", "statusReason", "signatureType", "failureCount"),
    *("maxFailureCount", "timestampCreated", "timestampExpires", "timestampFinalized", "riskFlags"),
    *("proximityOtp", "activationId", "numberMatching"),
]


def moment(text: str) -> datetime:
    assert text.endswith("+00:00")
    assert len(text) == 29
    return datetime.fromisoformat(text).replace(tzinfo=None)


async def test_a_new_operation_is_shown_whole(bank: Bank, new_application: NewApplication) -> None:
    await new_application("shop")
    before = clock.now()
    created = await bank.create(
        applications=["bank", "shop"],
        externalId="tx-9",
        activationFlag="PREMIUM",
        additionalData={"a": {"b": [1, None, "x"]}},
    )
    assert list(created) == MEMBERS
    assert UUID(created["id"]).version == 4
    assert abs(moment(created["timestampCreated"]) - before) < timedelta(seconds=30)
    assert moment(created["timestampExpires"]) - moment(created["timestampCreated"]) == timedelta(seconds=300)
    expected = {
        "userId": "user",
        "applications": ["bank", "shop"],
        "externalId": "tx-9",
        "activationFlag": "PREMIUM",
        "operationType": "authorize_payment",
        "templateName": "payment",
        "data": "A1*A100CZK*ICZ2730300000001165254011",
        "parameters": {"AMOUNT": "100", "CURRENCY": "CZK", "IBAN": "CZ2730300000001165254011"},
        "additionalData": {"a": {"b": [1, None, "x"]}},
        "status": "PENDING",
        "statusReason": None,
        "signatureType": ["POSSESSION_KNOWLEDGE", "POSSESSION_BIOMETRY"],
        "failureCount": 0,
        "maxFailureCount": 3,
        "timestampFinalized": None,
        "riskFlags": "XF",
        "proximityOtp": None,
        "activationId": None,
        "numberMatching": None,
    }
    assert {name: created[name] for name in expected} == expected
    stored = await bank.stored(created)
    assert stored.signature_type == "possession_knowledge,possession_biometry"
    assert stored.timestamp_created.tzinfo is None


async def test_detail_shows_what_create_showed(bank: Bank) -> None:
    created = await bank.create(externalId="tx-9")
    assert await bank.detail(created) == created


async def test_parameters_are_stored_unescaped_and_may_be_null(bank: Bank) -> None:
    parameters = {"AMOUNT": "1", "CURRENCY": "", "IBAN": "a*b\\c\nd", "X": "", "Y": None}
    created = await bank.create(parameters=parameters)
    assert created["data"] == "A1*A1*Ia\\*b\\\\c\\nd"
    assert created["parameters"] == parameters
    assert (await bank.detail(created))["parameters"] == created["parameters"]


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (None, ["AMOUNT", "CURRENCY", "IBAN"]),
        ({"AMOUNT": "1", "CURRENCY": None, "iban": "x"}, ["CURRENCY", "IBAN"]),
    ],
)
async def test_missing_parameters_are_named_all_at_once(
    bank: Bank, serve: Serve, given: Any, missing: list[str]
) -> None:
    request = {"userId": "user", "applications": ["bank"], "templateName": "payment", "parameters": given}
    status, body = await bank.api.post("operation/create", **request)
    message = f"requestObject.parameters - missing parameters: {', '.join(missing)}"
    refusal = body["responseObject"]
    assert (status, refusal["code"], refusal["message"]) == (400, "ERR0024", message)
    assert refusal["missingParameters"] == missing
    lenient = await serve(require_operation_parameters=False)
    created = await lenient.ok("operation/create", **request)
    assert [name for name in missing if f"${{{name}}}" in created["data"]] == missing


@pytest.mark.parametrize("nothing", [None, {}])
async def test_no_parameters_and_no_additional_data_are_empty_maps(bank: Bank, nothing: Any) -> None:
    created = await bank.create(templateName="login", parameters=nothing, additionalData=nothing)
    assert (created["parameters"], created["additionalData"], created["data"]) == ({}, {}, "A2")


async def test_a_template_change_does_not_touch_existing_operations(bank: Bank) -> None:
    created = await bank.create()
    await bank.api.ok(
        "operation/template/update",
        id=bank.templates["payment"],
        operationType="other",
        dataTemplate="A9",
        signatureType=["POSSESSION"],
        maxFailureCount=1,
        expiration=1,
    )
    assert await bank.detail(created) == created
    await bank.api.ok("operation/template/remove", id=bank.templates["payment"])
    assert await bank.detail(created) == created


@pytest.mark.parametrize(
    ("wanted", "in_template", "has_code"),
    [(True, False, True), (None, True, True), (False, True, False), (None, False, False), (True, True, True)],
)
async def test_the_request_decides_on_proximity_and_else_the_template(
    bank: Bank, wanted: bool | None, in_template: bool, has_code: bool
) -> None:
    template = {
        "templateName": "near",
        "operationType": "near",
        "dataTemplate": "A3",
        "signatureType": ["POSSESSION"],
        "maxFailureCount": 1,
        "expiration": 10,
    }
    await bank.api.ok("operation/template/create", **template, proximityCheckEnabled=in_template)
    created = await bank.create(templateName="near", proximityCheckEnabled=wanted)
    assert (created["proximityOtp"] is not None) is has_code
    stored = await bank.stored(created)
    assert (stored.totp_seed is not None) is has_code


async def test_the_code_is_the_totp_of_the_stored_seed(bank: Bank, at: Callable[[datetime], None]) -> None:
    at(datetime(2026, 5, 6, 7, 8, 9))
    created = await bank.create(proximityCheckEnabled=True)
    seed = b64decode((await bank.stored(created)).totp_seed or "")
    assert len(seed) == 16
    assert created["proximityOtp"] == totp(seed, clock.now_ms() // 1000)
    at(datetime(2026, 5, 6, 7, 9, 9))
    later = (await bank.detail(created))["proximityOtp"]
    assert later == totp(seed, clock.now_ms() // 1000) != created["proximityOtp"]


async def test_the_owner_comes_from_the_activation(bank: Bank) -> None:
    await bank.activation("act-1", "alice")
    created = await bank.create(userId=None, activationId="act-1")
    assert (created["userId"], created["activationId"]) == ("alice", "act-1")
    created = await bank.create(userId="alice", activationId="act-1")
    assert created["userId"] == "alice"
    assert (await bank.create(userId=None))["userId"] is None


@pytest.mark.parametrize(
    "timestamp", ["2126-01-02T03:04:05.678Z", "2126-01-02T05:04:05.678+02:00", 4922996645678]
)
async def test_the_expiry_can_be_given(bank: Bank, timestamp: str | int) -> None:
    created = await bank.create(timestampExpires=timestamp)
    assert created["timestampExpires"] == "2126-01-02T03:04:05.678+00:00"


async def test_an_expiry_beyond_the_calendar_is_its_end(bank: Bank) -> None:
    template = {
        "templateName": "eternal",
        "operationType": "eternal",
        "dataTemplate": "A3",
        "signatureType": ["POSSESSION"],
        "maxFailureCount": 9_223_372_036_854_775_807,
        "expiration": 9_223_372_036_854_775_807,
    }
    await bank.api.ok("operation/template/create", **template)
    created = await bank.create(templateName="eternal")
    assert created["timestampExpires"].startswith("9999-12-31")
    assert created["maxFailureCount"] == 9_223_372_036_854_775_807


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"applications": []}, "ERR0024"),
    ({"activationId": "act-2"}, "ERR0024"),
    ({"parameters": {"IBAN": "a\tb"}}, "ERR0024"),
    ({"parameters": {"IBAN": "a\rb"}}, "ERR0024"),
    ({"templateName": "PAYMENT"}, "ERR0033"),
    ({"applications": ["Bank"]}, "ERR0015"),
    ({"activationId": "act-1", "applicationIds": ["shop"]}, "ERR0024"),
    ({"parameters": {"IBAN": [7]}}, "ERROR_HTTP_REQUEST"),
    ({"parameters": {"IBAN": "a\u0000"}}, "ERROR_HTTP_REQUEST"),
    ({"proximityCheckEnabled": "yes"}, "ERROR_HTTP_REQUEST"),
    ({"timestampExpires": "soon"}, "ERROR_HTTP_REQUEST"),
]


async def test_refusals(bank: Bank, events: ReadEvents) -> None:
    await bank.activation("act-1", "user")
    await bank.activation("act-2", "somebody else")
    for members, code in REFUSED:
        request = {"userId": "user", "applications": ["bank"], "templateName": "payment"} | members
        assert (members, await bank.api.error("operation/create", **request)) == (members, code)
    assert await events() == []


@pytest.mark.parametrize(
    ("members", "code"),
    [
        (
            {"activationId": "no", "parameters": {"a": "\t"}, "templateName": "no", "applications": ["no"]},
            "activationId",
        ),
        ({"parameters": {"a": "\t"}, "timestampExpires": 1, "templateName": "no"}, "parameters"),
        ({"timestampExpires": 1, "templateName": "no", "applications": ["no"]}, "timestampExpires"),
    ],
)
async def test_the_order_of_checks(bank: Bank, members: dict[str, Any], code: str) -> None:
    request = {"userId": "user", "applications": ["bank"], "templateName": "payment"} | members
    _, body = await bank.api.post("operation/create", **request)
    assert body["responseObject"]["message"].startswith(f"requestObject.{code} - ")


async def test_an_unknown_template_is_told_before_an_unknown_application(bank: Bank) -> None:
    assert await bank.api.error("operation/create", applications=["no"], templateName="no") == "ERR0033"


async def test_every_bad_field_is_named_in_order(bank: Bank) -> None:
    _, body = await bank.api.post("operation/create", userId="")
    assert body["responseObject"]["message"] == (
        "requestObject.applications - must not be null, "
        "requestObject.templateName - must not be null, "
        "requestObject.userId - must not be empty"
    )


async def test_deeply_nested_additional_data_is_refused(bank: Bank) -> None:
    for levels, accepted in ((32, True), (33, False), (300, False), (600, False)):
        nested = b"[" * (levels - 1) + b"]" * (levels - 1)
        body = b'{"requestObject":{"applications":["bank"],"templateName":"login","additionalData":{"a":%b}}}'
        response = await bank.api.send("operation/create", body % nested)
        assert (levels, response.status_code) == (levels, 200 if accepted else 400)


async def test_creation_is_announced_once(bank: Bank, events: ReadEvents, callbacks: ReadCallbacks) -> None:
    created = await bank.create(activationFlag="PREMIUM")
    assert await events() == [
        (
            "operation.created",
            {
                "operationId": created["id"],
                "operationType": "authorize_payment",
                "templateName": "payment",
                "applications": ["bank"],
                "userId": "user",
                "activationFlag": "PREMIUM",
                "status": "PENDING",
            },
        )
    ]
    (body,) = await callbacks()
    assert (body["operationId"], body["status"], body["failureCount"]) == (created["id"], "PENDING", 0)
    ((message, params, subject),) = await bank.audit()
    assert (message, params["id"], params["applications"], subject) == (
        "Operation created",
        created["id"],
        ["bank"],
        "user",
    )


async def test_taken_ids_are_tried_again_and_then_given_up(
    bank: Bank, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = (await bank.create())["id"]
    free = "00000000-0000-4000-8000-000000000000"
    ids = iter([taken] * 9 + [free])
    monkeypatch.setattr(creator, "uuid", SimpleNamespace(uuid4=lambda: next(ids)))
    assert (await bank.create())["id"] == free
    monkeypatch.setattr(creator, "uuid", SimpleNamespace(uuid4=lambda: taken))
    request = {"applications": ["bank"], "templateName": "login"}
    assert await bank.api.error("operation/create", **request) == "ERR0019"
