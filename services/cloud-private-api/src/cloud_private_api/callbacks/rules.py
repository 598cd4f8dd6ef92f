"""Decisions about callbacks, without I/O (spec/cloud-api.md §11.5, §12)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloud_private_api.access.rules import Caller
from cloud_private_api.errors import InvalidRequest, Violation
from powerauth_contracts.cloud.callbacks import Authentication, Callback, CallbackType, SaveCallback
from powerauth_contracts.durations import format_duration
from powerauth_contracts.rest.callbacks import CallbackUrlDetail
from servicekit.kept_secrets import CALLBACK_SECRETS, HINT, to_be_given_anew

CORE_TYPES: Mapping[CallbackType, str] = {
    "REGISTRATION_STATUS_CHANGE": "ACTIVATION_STATUS_CHANGE",
    "OPERATION_STATUS_CHANGE": "OPERATION_STATUS_CHANGE",
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
        "data",
        "failureCount",
        "maxFailureCount",
        "signatureType",
        "externalId",
        "timestampCreated",
        "timestampExpires",
        "timestampFinalized",
    ),
}
_ALWAYS = frozenset({"type", "activationId", "operationId"})
_SET_FLAG = "Set"


def checked_attributes(request: SaveCallback) -> list[str]:
    """The attributes to send: those named, or all of the type.

    :raises InvalidRequest: an attribute that the type does not have
    """
    known = ATTRIBUTES[request.type]
    if request.attributes is None:
        return list(known)
    for name in request.attributes:
        if name not in known and name not in _ALWAYS:
            raise InvalidRequest(Violation("attributes", "is not an attribute of this type", name))
    return [name for name in dict.fromkeys(request.attributes) if name in known]


def check_locations(caller: Caller, authentication: Authentication | None) -> None:
    """Files of the core's host are named by administrators only.

    :raises InvalidRequest: another caller names one
    """
    certificate = authentication.certificate if authentication else None
    if caller.is_admin or certificate is None:
        return
    for field, value in (
        ("keyStoreLocation", certificate.key_store_location),
        ("trustStoreLocation", certificate.trust_store_location),
    ):
        if value is not None:
            raise InvalidRequest(
                Violation(f"authentication.certificate.{field}", "may be set by an administrator only", value)
            )


def core_members(request: SaveCallback, authentication: Mapping[str, object] | None) -> Mapping[str, object]:
    """The callback in the core's words."""
    return {
        "name": request.name,
        "type": CORE_TYPES[request.type],
        "callback_url": request.callback_url,
        "attributes": checked_attributes(request),
        "authentication": authentication,
        "max_attempts": request.max_attempts,
        "initial_backoff": request.initial_backoff,
        "retention_period": request.retention_period,
    }


def requested_authentication(request: SaveCallback) -> Mapping[str, object] | None:
    """The authentication of a request in the core's words; None when the request has none."""
    if request.authentication is None:
        return None
    members: Mapping[str, object] = request.authentication.model_dump(exclude_none=True)
    return members


def stored_authentication(stored: CallbackUrlDetail) -> Mapping[str, object]:
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


def check_kept_secrets(stored: CallbackUrlDetail, members: Mapping[str, object]) -> None:
    """Secrets that are kept go to the address they were given for (D29).

    :param members: the callback to write, in the core's words
    :raises InvalidRequest: names those that must be given anew
    """
    flagged = {
        name: {member.removesuffix(_SET_FLAG): value for member, value in section.items()}
        for name, section in _sections(stored).items()
    }
    old = {"callbackUrl": stored.callback_url, "authentication": flagged}
    new = {"callbackUrl": members["callback_url"], "authentication": members["authentication"]}
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
