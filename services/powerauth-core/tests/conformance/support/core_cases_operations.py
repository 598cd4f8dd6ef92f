"""Cases of the operation, template and text calls (spec/core-api.md §19, §20; cloud-api §11.7)."""

from __future__ import annotations

from typing import Any

from core_cases import OUT_OF_SCOPE, Bad, Case, Then, never, out_of_scope, patched, present, same
from core_world import (
    ACTIVE,
    APP,
    CANCELED,
    FUTURE,
    NEW_NAME,
    OPERATION,
    TEMPLATE_ID,
    TEMPLATE_NAME,
    World,
    activation,
    operation,
    template,
)


async def PAYMENT(world: World) -> str:
    """The name of a template with placeholders."""
    made = await template(
        world,
        dataTemplate="A1*A${AMOUNT}${CURRENCY:-EUR}*Q$${X}*N${NOTE}",
        riskFlags="XF",
        proximityCheckEnabled=True,
    )
    return str(made["templateName"])


def is_now(status: str, **members: Any) -> Then:
    return Then("operation/detail", {"operationId": same("operationId")}, {"status": status} | members)


NOT_OF_THE_USER = "requestObject.activationId - must belong to the user"
UNKNOWN = {"operationId": "unknown"}
DUPLICATE = Bad("0015", {"applications": [APP, APP]})
NO_APPLICATION = Bad("0015", {"applications": [APP, "unknown"]})

CREATE = Case(
    "operation/create",
    {
        "userId": "user-1",
        "applications": [APP],
        "templateName": PAYMENT,
        "parameters": {"AMOUNT": "1*2\\3", "NOTE": "a\nb", "UNUSED": None},
        "externalId": "tx-9",
        "additionalData": {"a": {"b": [1]}},
        "activationFlag": "VIP",
        "timestampExpires": FUTURE,
        "activationId": ACTIVE,
    },
    {
        "status": "PENDING",
        "data": "A1*A1\\*2\\\\3EUR*Q${X}*Na\\nb",
        "parameters": {"AMOUNT": "1*2\\3", "NOTE": "a\nb", "UNUSED": None},
        "additionalData": {"a": {"b": [1]}},
        "riskFlags": "XF",
        "proximityOtp": lambda text: text.isdigit() and len(text) == 8,
        "failureCount": 0,
        "maxFailureCount": 2,
        "timestampFinalized": None,
        "signatureType": ["POSSESSION_KNOWLEDGE"],
        "externalId": "tx-9",
        "activationFlag": "VIP",
        "activationId": present,
        "statusReason": None,
    },
    more=(
        ({"userId": None, "activationId": ACTIVE}, {"userId": "user-1"}),
        ({"userId": None, "activationId": None}, {"userId": None}),
        ({"proximityCheckEnabled": False}, {"proximityOtp": None}),
    ),
    bad=(
        NO_APPLICATION,
        DUPLICATE,
        Bad("0015", OUT_OF_SCOPE | {"activationId": None}),
        Bad("0019", patch=patched("powerauth_core.operations.creation.repository.add", never)),
        Bad("0033", {"templateName": "unknown"}),
        Bad("0024", {"userId": ""}, "requestObject.userId - must not be empty"),
        Bad(
            "0024",
            {"activationId": "x" * 38},
            "requestObject.activationId - must have at most 37 characters",
        ),
        Bad("0024", {"activationId": "unknown"}, NOT_OF_THE_USER),
        Bad("0024", {"userId": "user-2"}, NOT_OF_THE_USER),
        Bad(
            "0024",
            {"parameters": {"A": "\u0007"}},
            "requestObject.parameters - must not contain control characters",
        ),
        Bad(
            "0024",
            {"timestampExpires": 1},
            "requestObject.timestampExpires - must not be in the past",
        ),
    ),
)

APPROVAL = {
    "operationId": OPERATION,
    "userId": "user-1",
    "applicationId": APP,
    "data": "A2",
    "signatureType": "POSSESSION_KNOWLEDGE",
    "additionalData": {
        "userAgent": "PowerAuthNetworking/1.2.3 (en; wifi) com.bank/2.0 (Apple; iOS/17.4, iPhone)"
    },
}
FAILED_ONCE = {"result": "APPROVAL_FAILED", "operation": {"status": "PENDING", "failureCount": 1}}

ACTIONS = (
    Case(
        "operation/detail",
        {"operationId": OPERATION, "userId": "user-1"},
        {"status": "PENDING", "userId": "user-1"},
        more=(
            ({"operationId": operation(userId=None)}, {"userId": None}),  # no claim in 1.10 (§31.1)
        ),
        bad=(
            Bad("0034", UNKNOWN),
            Bad("0034", {"userId": "user-2"}),
            Bad("0034", {"operationId": CANCELED, "userId": "user-2"}),
            out_of_scope("0034"),
        ),
    ),
    Case(
        "operation/claim",
        {"operationId": operation(userId=None), "userId": "user-1"},
        {"userId": "user-1", "status": "PENDING"},
        (is_now("PENDING", userId="user-1"),),
        more=(
            ({"operationId": OPERATION}, {"userId": "user-1"}),
            ({"operationId": operation(userId=None, proximityCheckEnabled=True)}, {"proximityOtp": None}),
        ),
        bad=(
            Bad("0034", UNKNOWN),
            Bad("0034", {"operationId": OPERATION, "userId": "user-2"}),
            out_of_scope("0034"),
        ),
    ),
    Case(
        "operation/approve",
        APPROVAL,
        {"result": "APPROVED", "operation": {"status": "APPROVED", "timestampFinalized": present}},
        (
            is_now(
                "APPROVED",
                additionalData={
                    "device": {"os": "iOS", "osVersion": "17.4", "model": "iPhone"},
                    "userAgent": present,
                },
            ),
        ),
        more=(
            ({"data": "A2*X"}, FAILED_ONCE),
            ({"signatureType": "POSSESSION"}, FAILED_ONCE),
            ({"operationId": operation(proximityCheckEnabled=True)}, FAILED_ONCE),
            (
                {"operationId": operation(userId=None)},
                {"result": "APPROVED", "operation": {"userId": "user-1"}},
            ),
        ),
        bad=(
            Bad("0015", {"applicationId": "unknown"}),
            Bad("0037", UNKNOWN),
            Bad("0037", {"userId": "user-2"}),
            Bad("0037", {"operationId": CANCELED}),
            out_of_scope("0037"),
        ),
    ),
    Case(
        "operation/approve/fail",
        {"operationId": OPERATION, "additionalData": {"a": 1}},
        FAILED_ONCE,
        (
            is_now("PENDING", additionalData={"a": 1}),
            Then(
                "operation/approve/fail",
                {"operationId": same("operationId")},
                {"result": "OPERATION_FAILED", "operation": {"status": "FAILED", "failureCount": 2}},
            ),
        ),
        bad=(Bad("0034", UNKNOWN), Bad("0036", {"operationId": CANCELED}), out_of_scope("0034")),
    ),
    Case(
        "operation/reject",
        {
            "operationId": OPERATION,
            "userId": "user-1",
            "applicationId": APP,
            "additionalData": {"rejectReason": "X"},
        },
        {"result": "REJECTED", "operation": {"status": "REJECTED", "timestampFinalized": present}},
        (is_now("REJECTED", additionalData={"rejectReason": "X"}),),
        bad=(
            Bad("0015", {"applicationId": "unknown"}),
            Bad("0038", UNKNOWN),
            Bad("0038", {"userId": "user-2"}),
            Bad("0038", {"operationId": CANCELED}),
            out_of_scope("0038"),
        ),
    ),
    Case(
        "operation/cancel",
        {"operationId": OPERATION, "statusReason": "FRAUD", "additionalData": {"a": 1}},
        {
            "status": "CANCELED",
            "statusReason": "FRAUD",
            "additionalData": {"a": 1},
            "timestampFinalized": None,
        },
        (is_now("CANCELED", statusReason="FRAUD"),),
        bad=(
            Bad("0034", UNKNOWN),
            Bad("0036", {"operationId": CANCELED}),
            out_of_scope("0034"),
            Bad(
                "0024",
                {"statusReason": "x" * 33},
                "requestObject.statusReason - must have at most 32 characters",
            ),
        ),
    ),
)


def listed(*statuses: str) -> Any:
    """The states in a list, newest operation first."""
    return lambda items: [item["status"] for item in items] == list(statuses)


async def _three(world: World) -> None:
    await OPERATION(world)
    await CANCELED(world)
    await operation(externalId="tx-1", activationFlag="VIP")(world)


_LIST = {"userId": "user-1", "applications": [APP], "pageNumber": 0, "pageSize": 10}
_LIST_REFUSALS = (
    NO_APPLICATION,
    DUPLICATE,
    out_of_scope("0015"),
    Bad("0024", {"pageNumber": -1}, "requestObject.pageNumber - must be greater than or equal to 0"),
    Bad("0024", {"pageSize": 0}, "requestObject.pageSize - must be greater than or equal to 1"),
)
# An activation without flags sees operations with any flag (§19.6, §33 no. 10).
_FLAGS = (({"activationId": activation("ACTIVE", flags=["OTHER"])}), ({"activationId": ACTIVE}))

LISTS = (
    Case(
        "operation/list",
        _LIST,
        listed("PENDING", "CANCELED", "PENDING"),
        before=_three,
        more=(
            ({"pageSize": 1}, listed("PENDING")),
            ({"userId": "user-2"}, []),
            (_FLAGS[0], listed("CANCELED", "PENDING")),
            (_FLAGS[1], listed("PENDING", "CANCELED", "PENDING")),
        ),
        bad=_LIST_REFUSALS,
    ),
    Case(
        "operation/list/pending",
        _LIST,
        listed("PENDING", "PENDING"),
        before=_three,
        more=(({"pageNumber": 1}, []), (_FLAGS[0], listed("PENDING"))),
        bad=_LIST_REFUSALS,
    ),
    Case(
        "operation/list/external",
        {"externalId": "tx-1", "applications": [APP]},
        [{"externalId": "tx-1", "activationFlag": "VIP"}],
        before=_three,
        more=(({"externalId": "unknown"}, []),),
        bad=_LIST_REFUSALS,
    ),
)

TEMPLATE = {
    "templateName": NEW_NAME,
    "operationType": "authorize_payment",
    "dataTemplate": "A1*A${AMOUNT}",
    "signatureType": ["POSSESSION_KNOWLEDGE", "POSSESSION_BIOMETRY"],
    "maxFailureCount": 5,
    "expiration": 300,
    "riskFlags": "XCF",
    "proximityCheckEnabled": True,
}
_WRITTEN = {name: value for name, value in TEMPLATE.items() if name != "templateName"}
_DEFAULTS = {"riskFlags": None, "proximityCheckEnabled": False}
_BAD_TEMPLATE = (
    Bad(
        "0024",
        {"signatureType": ["POSSESSION"] * 2},
        "requestObject.signatureType - must be unique",
    ),
    Bad(
        "0024",
        {"expiration": 0},
        "requestObject.expiration - must be greater than 0",
    ),
    Bad(
        "0024",
        {"maxFailureCount": 0},
        "requestObject.maxFailureCount - must be greater than 0",
    ),
)
_NO_TEMPLATE = Bad("0033", {"id": 999_999_999})


async def _made(world: World) -> None:
    await template(world)


TEMPLATES = (
    Case(
        "operation/template/create",
        TEMPLATE,
        _WRITTEN,
        (Then("operation/template/detail", {"id": same("id")}, _WRITTEN),),
        more=(({"riskFlags": None, "proximityCheckEnabled": None}, _DEFAULTS),),
        bad=(*_BAD_TEMPLATE, Bad("0039", {"templateName": TEMPLATE_NAME})),
    ),
    Case(
        "operation/template/update",
        _WRITTEN | {"id": TEMPLATE_ID},
        _WRITTEN,
        (Then("operation/template/detail", {"id": same("id")}, _WRITTEN),),
        bad=(*_BAD_TEMPLATE, _NO_TEMPLATE),
    ),
    Case("operation/template/list", answer=lambda items: len(items) > 0, before=_made),
    Case("operation/template/detail", {"id": TEMPLATE_ID}, {"operationType": "login"}, bad=(_NO_TEMPLATE,)),
    Case("operation/template/remove", {"id": TEMPLATE_ID}, None, bad=(_NO_TEMPLATE,)),
)


TEXT = {
    "placeholder": NEW_NAME,
    "language": "en",
    "title": "Payment",
    "message": "Pay ${AMOUNT}",
    "attributes": [{"id": "amount", "type": "HEADING"}],
    "ui": '{"flipButtons":true}',
    "resultTexts": {"success": "Done"},
}
_WRITTEN_TEXT = {
    "title": "Payment",
    "attributes": '[{"id":"amount","type":"HEADING"}]',
    "ui": '{"flipButtons":true}',
    "resultTexts": '{"success":"Done"}',
}


async def TEXT_OF(world: World) -> str:
    """The placeholder of a new text."""
    written = await world.ok("operation/text/update", **await world.made(TEXT))
    return str(written["placeholder"])


TEXTS = (
    Case(
        "operation/text/list",
        {"placeholder": TEXT_OF, "language": "en"},
        {"texts": [_WRITTEN_TEXT]},
        more=(({"placeholder": "unknown"}, {"texts": []}), ({"language": "cs"}, {"texts": []})),
    ),
    Case(
        "operation/text/update",
        TEXT,
        _WRITTEN_TEXT,
        (Then("operation/text/list", {"placeholder": same("placeholder")}, {"texts": [_WRITTEN_TEXT]}),),
        more=(
            ({"placeholder": TEXT_OF, "title": "Other", "ui": None}, {"title": "Other", "ui": None}),
            ({"attributes": None, "resultTexts": None}, {"attributes": None}),
        ),
        bad=(
            Bad("0024", {"attributes": "{}"}, "requestObject.attributes - must be a JSON array"),
            Bad(
                "0024",
                {"language": "EN"},
                "requestObject.language - has a wrong form",
            ),
        ),
    ),
    Case(
        "operation/text/remove",
        {"placeholder": TEXT_OF, "language": "en"},
        {"removed": True},
        (Then("operation/text/list", {"placeholder": same("placeholder")}, {"texts": []}),),
        more=(({"language": "cs"}, {"removed": False}),),
    ),
)

CASES = (CREATE, *ACTIONS, *LISTS, *TEMPLATES, *TEXTS)
