"""Wire models of the key exchange (spec/core-api.md §7.2, §7.3, §8.4)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from powerauth_contracts.calls import Call
from powerauth_contracts.enums import ActivationStatus
from powerauth_contracts.envelopes import EnvelopeFields, SealedFields
from powerauth_contracts.fields import MaxFailureCount, RequiredText, Switch
from powerauth_contracts.rest.activations import UserId
from powerauth_contracts.wire import CoreDateTime


class PrepareActivationRequest(EnvelopeFields):
    """Request of ``activation/prepare``: key exchange by activation code."""

    activation_code: RequiredText = Field(repr=False)
    application_key: RequiredText
    generate_recovery_codes: Switch = False
    protocol_version: RequiredText | None = None
    application_ids: list[str] | None = None


class CreateActivationRequest(EnvelopeFields):
    """Request of ``activation/create``: key exchange for a user the caller has identified."""

    user_id: UserId
    timestamp_activation_expire: CoreDateTime | None = None
    generate_recovery_codes: Switch = True
    max_failure_count: MaxFailureCount | None = None
    application_key: RequiredText
    activation_otp: str | None = Field(default=None, repr=False)
    additional_data: dict[str, Any] | None = None
    protocol_version: RequiredText
    application_ids: list[str] | None = None


class CreateActivationByRecoveryRequest(EnvelopeFields):
    """Request of ``activation/recovery/create``: key exchange by recovery code and PUK."""

    recovery_code: RequiredText = Field(repr=False)
    puk: RequiredText = Field(repr=False)
    application_key: RequiredText
    generate_recovery_codes: bool | None = None
    max_failure_count: MaxFailureCount | None = None
    activation_otp: str | None = Field(default=None, repr=False)
    protocol_version: RequiredText
    application_ids: list[str] | None = None


class KeyExchangeResponse(SealedFields):
    """Answer of every key exchange: the encrypted layer 2 response and what the caller may know."""

    activation_id: str
    user_id: str
    application_id: str
    activation_status: ActivationStatus


PREPARE = Call(
    "/rest/v3/activation/prepare",
    PrepareActivationRequest,
    KeyExchangeResponse,
    "Exchange keys for an activation code.",
)
CREATE = Call(
    "/rest/v3/activation/create",
    CreateActivationRequest,
    KeyExchangeResponse,
    "Exchange keys for a user the caller has identified.",
)
RECOVERY_CREATE = Call(
    "/rest/v3/activation/recovery/create",
    CreateActivationByRecoveryRequest,
    KeyExchangeResponse,
    "Exchange keys for a recovery code and its PUK.",
)
