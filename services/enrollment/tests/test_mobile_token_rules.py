"""Outcomes of the core as a device sees them (spec/enrollment-api.md §10.1, §10.6-10.10)."""

from __future__ import annotations

from typing import Any

import pytest

from enrollment.mobile_token.rules import (
    Action,
    allowed_signature_type,
    approval_error,
    core_error,
    rejection_error,
    status_error,
)
from powerauth_contracts.dmz.models import OperationActionAnswer
from powerauth_contracts.texts import CoreRefused
from servicekit.errors import RemoteUnavailable, ServiceError

Error = tuple[int, str, str]

CANCELED: Error = (400, "OPERATION_ALREADY_CANCELED", "Operation was already canceled")
FINISHED: Error = (400, "OPERATION_ALREADY_FINISHED", "Operation was already completed")
FAILED: Error = (400, "OPERATION_ALREADY_FAILED", "Operation already failed")
EXPIRED: Error = (400, "OPERATION_EXPIRED", "Operation already expired")
AUTH_FAIL: Error = (401, "POWERAUTH_AUTH_FAIL", "Authentication failed")
NOT_APPROVED: Error = (401, "OPERATION_FAILED", "PowerAuth server operation approval fails")
NOT_REJECTED: Error = (401, "OPERATION_FAILED", "PowerAuth server operation rejection fails")
FLAG: Error = (
    400,
    "OPERATION_REQUIRES_ACTIVATION_FLAG",
    "Operation requires activation flag: VIP, which is not present on activation.",
)
VALIDATION: Error = (400, "INVALID_REQUEST", "Request validation error")

STATUSES = [
    ("PENDING", None),
    (None, None),
    ("CANCELED", CANCELED),
    ("APPROVED", FINISHED),
    ("REJECTED", FINISHED),
    ("FAILED", FAILED),
    ("EXPIRED", EXPIRED),
]


def told(error: Exception | None) -> Error | None:
    """An error as it goes out."""
    if error is None:
        return None
    assert isinstance(error, ServiceError)
    return error.http_status, error.code, error.message


@pytest.mark.parametrize(("status", "expected"), STATUSES)
def test_status_of_an_operation_that_is_over(status: str | None, expected: Error | None) -> None:
    assert told(status_error(status)) == expected


def decision(authenticated: bool, **members: Any) -> OperationActionAnswer:
    return OperationActionAnswer(authenticated=authenticated, **members)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (decision(True, result="APPROVED", operation_status="APPROVED"), None),
        (decision(True, result="APPROVED"), None),
        (decision(False, result="APPROVED"), AUTH_FAIL),
        (decision(False), AUTH_FAIL),
        (decision(False, operation_status="PENDING"), AUTH_FAIL),
        (decision(False, operation_status="FAILED"), FAILED),
        (decision(False, operation_status="EXPIRED"), EXPIRED),
        (decision(True, refusal="VERIFICATION_PENDING"), AUTH_FAIL),
        (decision(True, refusal="VERIFICATION_PENDING", operation_status="EXPIRED"), AUTH_FAIL),
        (decision(True, refusal="REQUEST_INVALID"), AUTH_FAIL),
        (decision(True, refusal="ACTIVATION_FLAG_MISSING", required_activation_flag="VIP"), FLAG),
        (decision(True, result="APPROVAL_FAILED", operation_status="PENDING"), NOT_APPROVED),
        (decision(True, result="APPROVAL_FAILED"), NOT_APPROVED),
        (decision(True, result="OPERATION_FAILED", operation_status="FAILED"), FAILED),
        (decision(True, operation_status="CANCELED"), CANCELED),
        (decision(True, operation_status="APPROVED"), FINISHED),
    ],
)
def test_outcome_of_an_approval(outcome: OperationActionAnswer, expected: Error | None) -> None:
    assert told(approval_error(outcome)) == expected


@pytest.mark.parametrize(
    ("outcome", "request_object", "expected"),
    [
        (decision(True, result="REJECTED", operation_status="REJECTED"), {"id": "x"}, None),
        (decision(False), {"id": "x"}, AUTH_FAIL),
        (decision(True, refusal="REQUEST_INVALID"), None, AUTH_FAIL),
        (decision(True, refusal="REQUEST_INVALID"), {"id": None}, VALIDATION),
        (
            decision(True, refusal="ACTIVATION_FLAG_MISSING", required_activation_flag="VIP"),
            {"id": "x"},
            FLAG,
        ),
        (decision(True, result="REJECT_FAILED", operation_status="PENDING"), {"id": "x"}, NOT_REJECTED),
        (decision(True, result="REJECT_FAILED", operation_status="EXPIRED"), {"id": "x"}, EXPIRED),
    ],
)
def test_outcome_of_a_rejection(
    outcome: OperationActionAnswer, request_object: dict[str, object] | None, expected: Error | None
) -> None:
    assert told(rejection_error(outcome, request_object)) == expected


NO_APPLICATION: Error = (400, "INVALID_APPLICATION", "No application was found with the provided identifier.")
NO_OPERATION: Error = (400, "INVALID_OPERATION", "No operation was found with the provided identifier.")
UNEXPECTED: Error = (400, "INVALID_OPERATION", "Operation not found or is in an unexpected state.")
UNEXPECTED_ON_CANCEL: Error = (400, "INVALID_OPERATION", "Operation not found or is in an unexpected state")

TABLE: dict[str, dict[Action, Error]] = {
    "ERR0015": {Action.LIST: NO_APPLICATION, Action.AUTHORIZE: NO_APPLICATION, Action.CANCEL: NO_APPLICATION},
    "ERR0024": dict.fromkeys(Action, VALIDATION),
    "ERROR_HTTP_REQUEST": dict.fromkeys(Action, VALIDATION),
    "ERR0034": {
        Action.DETAIL: NO_OPERATION,
        Action.AUTHORIZE: UNEXPECTED,
        Action.CANCEL: UNEXPECTED_ON_CANCEL,
    },
    "ERR0036": {Action.AUTHORIZE: UNEXPECTED},
    "ERR0037": {Action.AUTHORIZE: UNEXPECTED},
    "ERR0038": {Action.CANCEL: UNEXPECTED_ON_CANCEL},
    "ERR0000": {},
    "ERR0020": {},
    "anything": {},
}


@pytest.mark.parametrize("action", list(Action))
@pytest.mark.parametrize("code", list(TABLE))
def test_core_errors(action: Action, code: str) -> None:
    error = core_error(action, CoreRefused(code, "path", {}))
    expected = TABLE[code].get(action)
    if expected is None:
        assert isinstance(error, RemoteUnavailable)
    else:
        assert told(error) == expected


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (("possession",), {"type": "1FA", "variants": []}),
        (("possession_knowledge", "possession"), {"type": "1FA", "variants": []}),
        (("possession_knowledge",), {"type": "2FA", "variants": ["possession_knowledge"]}),
        (
            ("possession_biometry", "possession_knowledge", "possession_knowledge_biometry"),
            {"type": "2FA", "variants": ["possession_knowledge", "possession_biometry"]},
        ),
        ((), {"type": "2FA", "variants": []}),
    ],
)
def test_approval_dialog(types: tuple[str, ...], expected: object) -> None:
    assert allowed_signature_type(types) == expected
