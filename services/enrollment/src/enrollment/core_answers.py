"""What the core answers at its door for this service (D1)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from enrollment.wire import LATEST_MOMENT
from powerauth_contracts.wire import WireModel

EnvelopeMembers = dict[str, Any]
"""The members of an encrypted answer exactly as the core wrote them; never opened here."""

Moment = Annotated[int, Field(ge=0, le=LATEST_MOMENT)]
"""Milliseconds since the epoch, up to the year 9999."""


class KeyStoreAnswer(WireModel):
    """The signed temporary key."""

    jwt: str


class EnvelopeKeysAnswer(WireModel):
    """The keys of one envelope of application scope, Base64; from 3.2 finished shared information, before
    that its base.
    """

    secret_key: str
    shared_info2: str | None = None
    request_shared_info2: str | None = None
    response_nonce: str | None = None
    response_timestamp: int | None = None
    response_shared_info2: str | None = None


class ActivationCreateAnswer(WireModel):
    """A new activation: the sealed second layer and the first layer's open members."""

    activation_data: EnvelopeMembers
    custom_attributes: dict[str, Any] | None = None
    user_info: dict[str, Any] | None = None
    activation_id: str | None = None
    application_id: str | None = None
    activation_status: str | None = None


class ActivationStatusAnswer(WireModel):
    """The encrypted status, Base64; `custom_object` only where the application has one."""

    activation_id: str
    encrypted_status_blob: str
    encrypted_status_blob_nonce: str | None = None
    custom_object: Any = None


class TextRowAnswer(WireModel):
    """One language of an operation type's texts; the last three are JSON texts as stored."""

    placeholder: str
    language: str
    title: str
    message: str
    attributes: str | None = None
    ui: str | None = None
    result_texts: str | None = None


class TextsAnswer(WireModel):
    """All rows of an operation type, or the word that they have not changed since `etag`."""

    etag: str | None = None
    not_modified: bool = False
    rows: list[TextRowAnswer] = Field(default_factory=list)


class SignedAnswer(WireModel):
    """The answer to an authenticated action; `refusal` names why the core did not act on the signed body."""

    refusal: str | None = None


class VerifyAnswer(WireModel):
    """Who signed."""

    activation_id: str
    user_id: str | None = None
    application_id: str | None = None
    signature_type: str | None = None


class SealedAnswer(SignedAnswer):
    """A sealed answer for the device."""

    envelope: EnvelopeMembers | None = None


class TokenRemoveAnswer(SignedAnswer):
    """Which token was asked to be removed; whether one was is not told to the device."""

    token_id: str | None = None


class ActivationAnswer(SignedAnswer):
    """The activation that was acted on."""

    activation_id: str | None = None


class DecisionAnswer(WireModel):
    """The outcome of an approval or a rejection, of a failed signature too (D14)."""

    authenticated: bool
    result: str | None = None
    operation_status: str | None = None
    refusal: str | None = None
    required_activation_flag: str | None = None


class Operation(WireModel):
    """An operation as the core tells it to a device's front door: never with its one-time password."""

    id: str
    operation_type: str
    data: str
    status: str
    status_reason: str | None = None
    parameters: dict[str, Any] | None = None
    risk_flags: str | None = None
    signature_type: list[str] = Field(default_factory=list)
    timestamp_created: Moment
    timestamp_expires: Moment
    proximity_check: bool = False
    activation_flag: str | None = None


class OperationsAnswer(WireModel):
    """Operations of the authenticated activation; `timestamp` is the core's time in ms."""

    operations: list[Operation]
    timestamp: Moment | None = None


class OperationAnswer(WireModel):
    """One operation in any status."""

    operation: Operation


class WhoAmIAnswer(WireModel):
    """Who a token belongs to, and the core's signed statement of it for another service (JWT, 60 s)."""

    activation_id: str
    user_id: str
    application_id: str
    statement: str
