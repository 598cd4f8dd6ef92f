"""Decisions about registrations, without I/O (spec/cloud-api.md §2.1, §3, §4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from cloud_private_api.errors import InvalidRequest, OtpInvalid, Violation
from powerauth_contracts.cloud.registrations import (
    CommitPhase,
    CurrentRegistration,
    OtpValidation,
    Registration,
    RegistrationCreated,
)
from powerauth_contracts.rest.activation_administration import ActivationItem
from powerauth_contracts.rest.activations import ActivationStatusResponse, InitActivationResponse

Activation = ActivationItem | ActivationStatusResponse

IN_PROGRESS = ("CREATED", "PENDING_COMMIT")
LIVING = ("CREATED", "PENDING_COMMIT", "ACTIVE", "BLOCKED")
POWERAUTH = "powerauth"
NONE = "NONE"

A = TypeVar("A", bound=ActivationItem)

_OTP = re.compile(r"[\x21-\x7e]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRegistration:
    """What a registration is started with.

    :ivar app_id: its application; None = the caller's only one
    :ivar otp: what the user will have to type
    :ivar otp_validation: when the OTP is asked for, as older callers say it
    :ivar expires: None = as the core is configured
    """

    user_id: str
    app_id: str | None
    otp: str | None
    commit_phase: CommitPhase | None
    flags: Sequence[str] | None
    otp_validation: OtpValidation | None = None
    expires: datetime | None = None


def checked_otp(otp: str | None) -> str | None:
    """The OTP as it is, or None for none.

    :raises OtpInvalid: not 1 to 64 printable ASCII characters without spaces
    """
    if otp is not None and not _OTP.fullmatch(otp):
        raise OtpInvalid
    return otp


def otp_and_phase(wanted: NewRegistration) -> tuple[str | None, CommitPhase | None]:
    """OTP and commit phase for the core, the deprecated ``otpValidation`` translated (§3.1 step 2).

    :raises InvalidRequest: ``otpValidation`` contradicts the rest
    :raises OtpInvalid: the OTP has a wrong format
    """
    otp, validation = checked_otp(wanted.otp), wanted.otp_validation
    if validation is None:
        return otp, wanted.commit_phase
    if validation == "NONE":
        return None, wanted.commit_phase
    if wanted.commit_phase is not None:
        raise InvalidRequest(Violation("otpValidation", "must not be combined with commitPhase", validation))
    if otp is None:
        raise InvalidRequest(Violation("otp", "must not be null"))
    return otp, validation


def checked_expiry(expires: datetime | None, now: datetime, field: str) -> datetime | None:
    """The moment as it is.

    :raises InvalidRequest: it is not in the future
    """
    if expires is not None and expires <= now:
        raise InvalidRequest(Violation(field, "must be in the future"))
    return expires


def qr_code_data(code: str, signature: str) -> str:
    """What the QR code of a registration holds. Both parts must come from the same answer of the core."""
    return f"{code}#{signature}"


def created(answer: InitActivationResponse, *, with_id: bool) -> RegistrationCreated:
    """The answer to a creation."""
    return RegistrationCreated(
        activation_qr_code_data=qr_code_data(answer.activation_code, answer.activation_signature),
        activation_code=answer.activation_code,
        activation_code_signature=answer.activation_signature,
        registration_id=answer.activation_id if with_id else None,
    )


def registration(activation: Activation, *, with_user: bool = False) -> Registration:
    """A list item."""
    status = activation.activation_status
    return Registration(
        registration_id=activation.activation_id,
        registration_status=status,
        blocked_reason=activation.blocked_reason if status == "BLOCKED" else None,
        application_id=activation.application_id or "",
        name=activation.activation_name,
        platform=activation.platform,
        device_info=activation.device_info,
        flags=activation.activation_flags,
        timestamp_created=activation.timestamp_created,
        timestamp_last_used=activation.timestamp_last_used,
        protocol=activation.protocol and activation.protocol.upper(),
        external_id=activation.external_id,
        extras=activation.extras,
        user_id=activation.user_id if with_user else None,
    )


def detail(activation: ActivationStatusResponse) -> Registration:
    """The detail: code only while CREATED, fingerprint only while PENDING_COMMIT."""
    item = registration(activation, with_user=True)
    code, signature = activation.activation_code, activation.activation_signature
    if activation.activation_status == "CREATED" and code and signature:
        item.activation_code = code
        item.activation_code_signature = signature
        item.activation_qr_code_data = qr_code_data(code, signature)
    if activation.activation_status == "PENDING_COMMIT":
        item.activation_fingerprint = activation.device_public_key_fingerprint
    item.failed_attempts = activation.failed_attempts
    item.max_failed_attempts = activation.max_failed_attempts
    item.timestamp_last_change = activation.timestamp_last_change
    item.version = activation.version
    return item


def newest_first(activations: Iterable[A]) -> list[A]:
    """By creation, newest first; equal moments by id."""
    return sorted(activations, key=lambda item: (item.timestamp_created, item.activation_id), reverse=True)


def is_powerauth(activation: Activation) -> bool:
    """Whether the activation is a registration, not a passkey."""
    return activation.protocol in (None, POWERAUTH)


def living(activations: Iterable[A]) -> list[A]:
    """The registrations that are not REMOVED, newest first."""
    return [
        item for item in newest_first(activations) if item.activation_status in LIVING and is_powerauth(item)
    ]


def page_of(items: Sequence[A], page: int | None, size: int | None) -> Sequence[A]:
    """The part of a merged list that was asked for; all of it when neither is given."""
    if page is None and size is None:
        return items
    length = 500 if size is None else size
    start = (page or 0) * length
    return items[start : start + length]


def current(activation: ActivationStatusResponse | None) -> CurrentRegistration:
    """The single-device view of a registration (§4)."""
    if activation is None or activation.activation_status not in LIVING:
        return CurrentRegistration(registration=NONE)
    item = detail(activation)
    return CurrentRegistration(
        registration=item.registration_status,
        activation_qr_code_data=item.activation_qr_code_data,
        name=item.name,
        platform=item.platform,
        device_info=item.device_info,
        activation_fingerprint=item.activation_fingerprint,
    )
