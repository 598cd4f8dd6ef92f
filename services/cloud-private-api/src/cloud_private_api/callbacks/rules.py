"""Decisions about callbacks, without I/O (spec/cloud-api.md §11.5, §12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cloud_private_api.access.rules import Caller
from cloud_private_api.errors import InvalidRequest, Violation
from powerauth_contracts.cloud.callbacks import Callback, CallbackType
from powerauth_contracts.durations import format_duration
from powerauth_contracts.rest.callbacks import CallbackUrlDetail
from servicekit.kept_secrets import CALLBACK_SECRETS, HINT, to_be_given_anew

CORE_TYPES: Mapping[CallbackType, str] = {
    "REGISTRATION_STATUS_CHANGE": "ACTIVATION_STATUS_CHANGE",
    "OPERATION_STATUS_CHANGE": "OPERATION_STATUS_CHANGE",
    "PASSKEY_POLICY_CHANGE": "PASSKEY_POLICY_CHANGE",
}
_CLOUD_TYPES = {core: cloud for cloud, core in CORE_TYPES.items()}

ATTRIBUTES: Mapping[CallbackType, tuple[str, ...]] = {
    "REGISTRATION_STATUS_CHANGE": (
        "userId",
        "activationName",
        "deviceInfo",
        "platform",
        "protocol",
        "activationFlags",
        "activationStatus",
        "blockedReason",
        "applicationId",
    ),
    "OPERATION_STATUS_CHANGE": (
        "userId",
        "applications",
        "operationType",
        "parameters",
        "additionalData",
        "activationFlag",
        "status",
        "statusReason",
        "data",
        "failureCount",
        "maxFailureCount",
        "signatureType",
        "externalId",
        "timestampCreated",
        "timestampExpires",
        "timestampFinalized",
    ),
    "PASSKEY_POLICY_CHANGE": (
        "userId",
        "applicationId",
        "aaguid",
        "trust",
        "previousTrust",
        "reason",
        "mdsNo",
    ),
}
_ALWAYS = frozenset({"type", "activationId", "operationId"})
_SET_FLAG = "Set"


Authentication = Mapping[str, Mapping[str, Any]]
"""How the core authenticates to a callback's URL: members by kind, in the core's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedCallback:
    """A callback as it shall be.

    :ivar attributes: None = all of the type
    :ivar authentication: None = none, or what there was
    :ivar initial_backoff: ISO-8601 duration, as ``retention_period``; None = as the core is configured
    """

    name: str
    type: CallbackType
    callback_url: str
    attributes: Sequence[str] | None
    authentication: Authentication | None = field(repr=False)
    max_attempts: int | None
    initial_backoff: str | None
    retention_period: str | None


def checked_attributes(wanted: WantedCallback) -> list[str]:
    """The attributes to send: those named, or all of the type.

    :raises InvalidRequest: an attribute that the type does not have
    """
    known = ATTRIBUTES[wanted.type]
    if wanted.attributes is None:
        return list(known)
    for name in wanted.attributes:
        if name not in known and name not in _ALWAYS:
            raise InvalidRequest(Violation("attributes", "is not an attribute of this type", name))
    return [name for name in dict.fromkeys(wanted.attributes) if name in known]


def check_locations(caller: Caller, authentication: Authentication | None) -> None:
    """Files of the core's host are named by administrators only.

    :raises InvalidRequest: another caller names one
    """
    certificate = (authentication or {}).get("certificate", {})
    for name in ("keyStoreLocation", "trustStoreLocation"):
        value = certificate.get(name)
        if value is not None and not caller.is_admin:
            raise InvalidRequest(
                Violation(f"authentication.certificate.{name}", "may be set by an administrator only", value)
            )


def core_members(wanted: WantedCallback) -> Mapping[str, object]:
    """The callback in the core's words."""
    return {
        "name": wanted.name,
        "type": CORE_TYPES[wanted.type],
        "callback_url": wanted.callback_url,
        "attributes": checked_attributes(wanted),
        "authentication": wanted.authentication,
        "max_attempts": wanted.max_attempts,
        "initial_backoff": wanted.initial_backoff,
        "retention_period": wanted.retention_period,
    }


def stored_authentication(stored: CallbackUrlDetail) -> Authentication:
    """The stored authentication without its secrets: sent back, the core keeps the secrets.

    An update without authentication would wipe what is stored.
    """
    return {
        name: {
            member: value
            for member, value in section.items()
            if not member.endswith(_SET_FLAG) and value is not None
        }
        for name, section in _sections(stored).items()
        if any(section.values())
    }


def _sections(stored: CallbackUrlDetail) -> Mapping[str, Mapping[str, Any]]:
    """The members of each kind; the core shows one that is not configured as switched off."""
    return stored.authentication.model_dump()


def check_kept_secrets(stored: CallbackUrlDetail, wanted: WantedCallback) -> None:
    """Secrets that are kept go to the address they were given for (D29).

    :raises InvalidRequest: names those that must be given anew
    """
    flagged = {
        name: {member.removesuffix(_SET_FLAG): value for member, value in section.items()}
        for name, section in _sections(stored).items()
    }
    old = {"callbackUrl": stored.callback_url, "authentication": flagged}
    new = {"callbackUrl": wanted.callback_url, "authentication": wanted.authentication}
    names = to_be_given_anew(CALLBACK_SECRETS, old, new)
    if names:
        raise InvalidRequest(*[Violation(name, HINT) for name in names])


def shown(callback: CallbackUrlDetail) -> Callback:
    """A callback in the words of this API."""
    return Callback(
        id=callback.id,
        name=callback.name,
        type=_CLOUD_TYPES.get(callback.type, callback.type),
        callback_url=callback.callback_url,
        attributes=callback.attributes,
        authentication=_shown_authentication(callback),
        max_attempts=callback.max_attempts,
        initial_backoff=format_duration(callback.initial_backoff),
        retention_period=format_duration(callback.retention_period),
    )


def _shown_authentication(callback: CallbackUrlDetail) -> dict[str, Any]:
    return {
        name: {member: value for member, value in section.items() if value is not None}
        for name, section in _sections(callback).items()
        if any(section.values())
    }


def by_id(callbacks: Sequence[CallbackUrlDetail], callback_id: str) -> CallbackUrlDetail | None:
    """The callback with an id, among those of one application."""
    return next((item for item in callbacks if item.id == callback_id), None)
