"""Which events phones are told of, and in which words (spec/push-api.md §7.1, §14)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from powerauth_contracts.enums import ActivationStatus, OperationStatus
from powerauth_contracts.push.messages import MessageBody

ACTIVATION_STATUS_CHANGED = "activation.status_changed"
OPERATION_STATUS_CHANGED = "operation.status_changed"

_RESULTS: Mapping[str, str] = {
    OperationStatus.APPROVED: "authentication.success",
    OperationStatus.REJECTED: "operation.canceled",
    OperationStatus.CANCELED: "operation.canceled",
    OperationStatus.FAILED: "authentication.fail",
    OperationStatus.EXPIRED: "operation.timeout",
}
_TOLD = frozenset({ActivationStatus.BLOCKED, ActivationStatus.REMOVED})


@dataclass(frozen=True, slots=True)
class Finished:
    """An operation that has come to its end, and whose user is to be told.

    :ivar activation_id: to this one's device alone
    """

    user_id: str
    applications: tuple[str, ...]
    activation_id: str | None
    body: MessageBody


def ended(data: Mapping[str, Any]) -> str | None:
    """The operation that an event tells the end of, if it does."""
    return _text(data, "operationId") if str(data.get("status")) in _RESULTS else None


def finished(data: Mapping[str, Any]) -> Finished | None:
    """What is told of an operation's new status; None: nothing."""
    result = _RESULTS.get(str(data.get("status")))
    user_id, operation_id = _text(data, "userId"), _text(data, "operationId")
    applications = data.get("applications")
    if result is None or user_id is None or operation_id is None or not isinstance(applications, list):
        return None
    activation_id = _text(data, "activationId")
    extras = {
        "messageType": "mtoken.operationFinished",
        "operationId": operation_id,
        "operationName": _text(data, "operationType") or "",
        "mtokenOperationResult": result,
    }
    if activation_id is not None:
        extras["activationId"] = activation_id
    return Finished(user_id, tuple(map(str, applications)), activation_id, MessageBody(extras=extras))


def is_told(status: str) -> bool:
    """Whether a device is told that its activation is in a state."""
    return status in _TOLD


def status_change(activation_id: str) -> MessageBody:
    """What it is told."""
    return MessageBody(extras={"messageType": "mtoken.statusChange", "activationId": activation_id})


def is_new(data: Mapping[str, Any]) -> bool:
    """Whether an event tells that an activation can be used for the first time."""
    unblocked = data.get("previousStatus") == ActivationStatus.BLOCKED
    return data.get("activationStatus") == ActivationStatus.ACTIVE and not unblocked


def new_activation(activation_id: str) -> MessageBody:
    """What its user's other devices are told; in which words the user hears of it is their app's affair."""
    return MessageBody(extras={"messageType": "mtoken.newActivation", "activationId": activation_id})


def is_recent(time: datetime, now: datetime, seconds: int) -> bool:
    """Whether somebody still wants to hear of an event."""
    return now - time <= timedelta(seconds=seconds)


def _text(data: Mapping[str, Any], name: str) -> str | None:
    value = data.get(name)
    return value if isinstance(value, str) and value else None
