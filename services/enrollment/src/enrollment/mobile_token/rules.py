"""What the core's outcomes mean to a device (spec/enrollment-api.md §10.6-10.10): tables, no I/O."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from functools import lru_cache

from enrollment.errors import (
    ActivationFlagMissing,
    AuthenticationFailed,
    InvalidApplication,
    InvalidOperation,
    InvalidRequest,
    OperationAlreadyCanceled,
    OperationAlreadyFailed,
    OperationAlreadyFinished,
    OperationExpired,
    OperationFailed,
)
from enrollment.wire import JsonObject
from powerauth_contracts.dmz.models import OperationActionAnswer
from powerauth_contracts.texts import CoreRefused
from servicekit.errors import RemoteUnavailable, ServiceError

PENDING = "PENDING"

_STATUS_ERRORS: dict[str, type[ServiceError]] = {
    "CANCELED": OperationAlreadyCanceled,
    "APPROVED": OperationAlreadyFinished,
    "REJECTED": OperationAlreadyFinished,
    "FAILED": OperationAlreadyFailed,
    "EXPIRED": OperationExpired,
}

VERIFICATION_PENDING = "VERIFICATION_PENDING"
ACTIVATION_FLAG_MISSING = "ACTIVATION_FLAG_MISSING"
REQUEST_INVALID = "REQUEST_INVALID"


class Action(Enum):
    """Which column of the table of core errors applies (§10.8)."""

    LIST = auto()
    DETAIL = auto()
    AUTHORIZE = auto()
    CANCEL = auto()


def status_error(status: str | None) -> ServiceError | None:
    """Return the error of an operation that is over (§10.7); None while it is pending, or not told."""
    error = _STATUS_ERRORS.get(status or "")
    return error() if error is not None else None


def _no_application() -> ServiceError:
    return InvalidApplication()


def _invalid_request() -> ServiceError:
    return InvalidRequest("Request validation error")


def _unknown_operation() -> ServiceError:
    return InvalidOperation()


def _unexpected_state() -> ServiceError:
    return InvalidOperation("Operation not found or is in an unexpected state.")


def _unexpected_state_on_cancel() -> ServiceError:
    return InvalidOperation("Operation not found or is in an unexpected state")


_UNUSABLE = dict.fromkeys(("ERR0024", "ERROR_HTTP_REQUEST"), _invalid_request)
"""The core read the request, or could not: what the device sent and this service passed on is unusable."""

_CORE_ERRORS: dict[Action, dict[str, Callable[[], ServiceError]]] = {
    Action.LIST: {**_UNUSABLE, "ERR0015": _no_application},
    Action.DETAIL: {**_UNUSABLE, "ERR0034": _unknown_operation},
    Action.AUTHORIZE: {
        **_UNUSABLE,
        "ERR0015": _no_application,
        "ERR0034": _unexpected_state,
        "ERR0036": _unexpected_state,
        "ERR0037": _unexpected_state,
    },
    Action.CANCEL: {
        **_UNUSABLE,
        "ERR0015": _no_application,
        "ERR0034": _unexpected_state_on_cancel,
        "ERR0038": _unexpected_state_on_cancel,
    },
}


def core_error(action: Action, refusal: CoreRefused) -> Exception:
    """Return the error for a refusal of the core; codes without meaning here are a remote failure (§10.8)."""
    error = _CORE_ERRORS[action].get(refusal.code)
    return error() if error is not None else RemoteUnavailable(f"the core refused: {refusal.code}")


def approval_error(decision: OperationActionAnswer) -> ServiceError | None:
    """Return what an approval failed with, or None when it succeeded (§10.6)."""
    if decision.authenticated and decision.result == "APPROVED":
        return None
    if decision.refusal in {VERIFICATION_PENDING, REQUEST_INVALID}:
        return AuthenticationFailed()
    return _decision_error(decision, "PowerAuth server operation approval fails")


def rejection_error(decision: OperationActionAnswer, request: JsonObject | None) -> ServiceError | None:
    """Return what a rejection failed with, or None when it succeeded (§10.10).

    :param request: the request object that was signed, or None when the body has none.
    """
    if decision.authenticated and decision.result == "REJECTED":
        return None
    if decision.refusal == REQUEST_INVALID:
        return AuthenticationFailed() if request is None else _invalid_request()
    return _decision_error(decision, "PowerAuth server operation rejection fails")


def _decision_error(decision: OperationActionAnswer, failure: str) -> ServiceError:
    """An operation that is over says so even when the signature was wrong; a pending one answers 401."""
    if decision.refusal == ACTIVATION_FLAG_MISSING:
        flag = decision.required_activation_flag
        return ActivationFlagMissing(
            f"Operation requires activation flag: {flag}, which is not present on activation."
        )
    over = status_error(decision.operation_status)
    if over is not None:
        return over
    return OperationFailed(failure) if decision.authenticated else AuthenticationFailed()


@lru_cache(maxsize=256)
def allowed_signature_type(types: tuple[str, ...]) -> JsonObject:
    """Return the approval dialog to show (§10.1): one factor, or two with the variants in fixed order.

    Every operation of these types has the same one; nobody changes it.
    """
    if "possession" in types:
        return {"type": "1FA", "variants": []}
    variants = [kind for kind in ("possession_knowledge", "possession_biometry") if kind in types]
    return {"type": "2FA", "variants": variants}
