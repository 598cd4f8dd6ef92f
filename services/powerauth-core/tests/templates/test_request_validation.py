"""Messages for missing and malformed members of requests (spec/core-api.md §19.9, §31.1)."""

from typing import Any

import pytest
from pydantic import ValidationError

from powerauth_contracts.fields import is_nested_deeper_than
from powerauth_contracts.rest.operations import (
    OperationApproveRequest,
    OperationCancelRequest,
    OperationClaimRequest,
    OperationCreateRequest,
    OperationDetailRequest,
    OperationExternalListRequest,
    OperationFailApprovalRequest,
    OperationListRequest,
    OperationRejectRequest,
)
from powerauth_contracts.rest.templates import OperationTemplateCreateRequest, OperationTemplateUpdateRequest
from powerauth_contracts.wire import RequestModel
from powerauth_core.templates.rules import etag_of, is_json_of
from powerauth_core.templates.schemas import OperationTextUpdateRequest
from servicekit.errors import input_problems

APPROVAL: dict[str, Any] = {
    "operationId": "o",
    "userId": "u",
    "applicationId": "a",
    "data": "A2",
    "signatureType": "POSSESSION_KNOWLEDGE",
}
CREATION: dict[str, Any] = {"applications": ["a"], "templateName": "t"}
TEMPLATE: dict[str, Any] = {
    "templateName": "login",
    "operationType": "login",
    "dataTemplate": "A2",
    "signatureType": ["POSSESSION_KNOWLEDGE"],
    "maxFailureCount": 5,
    "expiration": 300,
}
TEXT: dict[str, Any] = {"placeholder": "login", "language": "en", "title": "T", "message": "M"}


def problems(model: type[RequestModel], given: dict[str, Any]) -> list[tuple[str, str]]:
    try:
        model.model_validate(given)
    except ValidationError as error:
        return sorted((found.field, found.message) for found in input_problems(error.errors()))
    return []


IDENTIFIED: dict[str, Any] = {"operationId": "o"}
LISTED: dict[str, Any] = {"userId": "u", "externalId": "e", "applications": ["a"]}
ALL: list[tuple[type[RequestModel], dict[str, Any]]] = [
    (OperationApproveRequest, APPROVAL),
    (OperationFailApprovalRequest, IDENTIFIED),
    (OperationRejectRequest, APPROVAL),
    (OperationCancelRequest, IDENTIFIED),
    (OperationDetailRequest, IDENTIFIED),
    (OperationClaimRequest, APPROVAL),
    (OperationListRequest, LISTED),
    (OperationExternalListRequest, LISTED),
    (OperationCreateRequest, CREATION),
    (OperationTemplateCreateRequest, TEMPLATE),
]
TEXTS = {"operationId", "userId", "externalId", "applicationId", "templateName"}
REQUIRED_TEXTS = [
    (model, complete, each.alias)
    for model, complete in ALL
    for each in model.model_fields.values()
    if each.alias in TEXTS and each.is_required()
]


@pytest.mark.parametrize(
    ("nothing", "words"),
    [(None, "must not be null"), ("", "must not be empty"), (" \t", "must not be blank")],
)
@pytest.mark.parametrize(("model", "complete", "field"), REQUIRED_TEXTS)
def test_a_required_text_that_is_missing_is_named(
    model: type[RequestModel], complete: dict[str, Any], field: str, nothing: str | None, words: str
) -> None:
    assert problems(model, complete) == []
    assert problems(model, {**complete, field: nothing}) == [(field, words)]


def test_an_absent_member_reads_like_null() -> None:
    assert [field for field, _ in problems(OperationApproveRequest, {})] == sorted(APPROVAL)


def test_members_may_be_given_by_their_python_names() -> None:
    assert OperationClaimRequest(operation_id="o", user_id="u").operation_id == "o"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("userId", ""),
        ("userId", "u" * 256),
        ("applications", []),
        ("applications", None),
        ("externalId", "e" * 256),
        ("activationFlag", "f" * 256),
        ("activationId", "x" * 38),
    ],
)
def test_limits_of_an_operation(field: str, value: Any) -> None:
    assert [found for found, _ in problems(OperationCreateRequest, {**CREATION, field: value})] == [field]


@pytest.mark.parametrize(
    "change",
    [
        {"userId": None},
        {"userId": " "},
        {"activationId": "x" * 37},
        {"parameters": None},
        {"parameters": {"a": None, "b": ""}},
        {"additionalData": None},
        {"additionalData": {"a": [1, {"b": None}]}},
        {"proximityCheckEnabled": None},
        {"unknown": 1},
    ],
)
def test_what_an_operation_may_leave_open(change: dict[str, Any]) -> None:
    assert problems(OperationCreateRequest, {**CREATION, **change}) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("signatureType", "possession_knowledge"),
        ("signatureType", "PIN"),
        ("signatureType", None),
        ("operationId", [7]),
        ("data", None),
        ("data", ""),
        ("data", ["A2"]),
        ("additionalData", []),
        ("additionalData", "x"),
        ("applicationIds", "a"),
    ],
)
def test_mistyped_approvals_are_refused(field: str, value: Any) -> None:
    assert [found for found, _ in problems(OperationApproveRequest, {**APPROVAL, field: value})] == [field]


def test_white_space_can_be_operation_data() -> None:
    assert problems(OperationApproveRequest, {**APPROVAL, "data": " "}) == []


@pytest.mark.parametrize(
    ("number", "size", "wrong"), [(-1, 1, "pageNumber"), (0, 0, "pageSize"), (0, -5, "pageSize")]
)
def test_pages_start_at_0_and_hold_something(number: int, size: int, wrong: str) -> None:
    page = {"userId": "u", "applications": ["a"], "pageNumber": number, "pageSize": size}
    assert [found for found, _ in problems(OperationListRequest, page)] == [wrong]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("templateName", "t" * 256),
        ("operationType", ""),
        ("operationType", "t" * 256),
        ("dataTemplate", None),
        ("dataTemplate", "t" * 256),
        ("signatureType", []),
        ("signatureType", None),
        ("signatureType", ["POSSESSION", "POSSESSION"]),
        ("maxFailureCount", 0),
        ("maxFailureCount", -1),
        ("maxFailureCount", None),
        ("expiration", 0),
        ("expiration", None),
        ("riskFlags", "X" * 256),
        ("proximityCheckEnabled", "yes"),
        ("numberMatching", "yes"),
        ("onUnexpectedOperation", "WARN"),
        ("userLimits", 3),
    ],
)
def test_limits_of_a_template(field: str, value: Any) -> None:
    assert [found for found, _ in problems(OperationTemplateCreateRequest, {**TEMPLATE, field: value})] == [
        field
    ]
    if field != "templateName":
        update = {**TEMPLATE, "id": 1, field: value}
        assert [found for found, _ in problems(OperationTemplateUpdateRequest, update)] == [field]


def test_a_template_without_proximity_setting_has_none() -> None:
    assert not OperationTemplateCreateRequest.model_validate(
        {**TEMPLATE, "proximityCheckEnabled": None}
    ).proximity_check_enabled


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("language", "EN"),
        ("language", "e"),
        ("language", "cs-CZ"),
        ("language", "englishes"),
        ("placeholder", " "),
        ("placeholder", "p" * 256),
        ("title", ""),
        ("title", "t" * 256),
        ("message", None),
        ("attributes", {}),
        ("attributes", "{}"),
        ("attributes", "[1"),
        ("ui", []),
        ("ui", "[]"),
        ("ui", "x"),
        ("resultTexts", "null"),
        ("resultTexts", 5),
    ],
)
def test_limits_of_a_text(field: str, value: Any) -> None:
    assert [found for found, _ in problems(OperationTextUpdateRequest, {**TEXT, field: value})] == [field]


def test_json_parts_of_a_text_are_kept_as_text() -> None:
    text = OperationTextUpdateRequest.model_validate(
        {
            **TEXT,
            "attributes": [{"id": "a", "type": "HEADING"}],
            "ui": '{ "flipButtons" : true }',
            "resultTexts": {"success": "š"},
        }
    )
    assert (text.attributes, text.ui, text.result_texts) == (
        '[{"id":"a","type":"HEADING"}]',
        '{ "flipButtons" : true }',
        '{"success":"š"}',
    )


@pytest.mark.parametrize(
    ("text", "is_object"),
    [
        ("{}", True),
        ('{"a":"${b}"}', True),
        ('{"a":${b}}', True),
        ('{"a":${b:-1}}', True),
        ('{"a":${b}', False),
        ("${b}", False),
        ("[]", False),
        ("", False),
        ("[" * 100_000, False),
    ],
)
def test_placeholders_may_stand_for_json_values(text: str, is_object: bool) -> None:
    assert is_json_of(dict, text) is is_object


@pytest.mark.parametrize(
    ("value", "levels"),
    [
        (1, 0),
        ({}, 1),
        ([], 1),
        ({"a": 1}, 1),
        ({"a": {}}, 2),
        ([1, [2], [[3]]], 3),
        ({"a": [{"b": None}], "c": 1}, 3),
    ],
)
def test_levels_of_nesting_are_counted(value: Any, levels: int) -> None:
    assert not is_nested_deeper_than(value, levels)
    assert levels == 0 or is_nested_deeper_than(value, levels - 1)


def test_the_etag_tells_rows_apart() -> None:
    rows: list[list[list[str | None]]] = [[], [[]], [["a", None]], [["a", ""]], [["a"], ["b"]], [["a", "b"]]]
    assert len({etag_of(each) for each in rows}) == len(rows)
    assert etag_of([["a", None]]) == etag_of([["a", None]])
