"""Wire models for the policy of passkeys and for looking at them (spec/device-trust.md §4.7, §4.13)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from powerauth_contracts.calls import Call
from powerauth_contracts.enums import ActivationStatus
from powerauth_contracts.fields import FreeText, RequiredText, Switch
from powerauth_contracts.wire import INT64_MAX, CoreDateTime, Open, RequestModel, WireModel


class PolicyRequest(RequestModel):
    """Names an application."""

    application_id: RequiredText


class PolicyDetail(WireModel):
    """The policy of an application, and what of it holds.

    :ivar policy: the object of §4.7 with every default; None: none was ever set
    :ivar version: rises with each change; 0: none was ever set
    :ivar effective: ``none``, ``advisory`` or ``binding`` by list
    """

    application_id: str
    policy: dict[str, Any] | None
    version: int
    changed_by: str | None
    timestamp_changed: CoreDateTime | None
    effective: dict[str, str]
    warnings: list[str]


class PolicyImpactRequest(RequestModel):
    """``passkey/policy/impact``: a proposed policy."""

    application_id: RequiredText
    policy: dict[str, Any]


class PolicyImpact(WireModel):
    """What a proposed policy would take from users, against the one in force.

    :ivar credentials_total: ACTIVE passkeys of the application
    :ivar credentials_blocked: those that work today and would not any more; by reason in `by_reason`
    :ivar users_locked_out: users affected who would be left without anything usable in the application
    :ivar sample_user_ids: some of those affected, first those locked out
    :ivar unknown_type: passkeys of which nobody knows yet whether they are synchronised
    :ivar unattested_aaguids: passkeys on the allow-list that it would refuse if it binds
    :ivar confirmation: to be given with the change, while the figures are the same, for 15 minutes
    """

    credentials_total: int
    credentials_blocked: int
    by_reason: dict[str, int]
    users_affected: int
    users_locked_out: int
    sample_user_ids: list[str]
    unknown_type: int
    unattested_aaguids: int
    effective: dict[str, str]
    warnings: list[str]
    confirmation: str


class UpdatePolicyRequest(RequestModel):
    """``passkey/policy/update``: replaces the policy.

    :ivar confirmation: of an impact of the same policy
    :ivar force: whatever its impact
    :ivar version: that it is a change of; None: of whatever there is
    """

    application_id: RequiredText
    policy: dict[str, Any]
    confirmation: FreeText | None = None
    force: Switch = False
    version: int | None = Field(default=None, ge=0, le=INT64_MAX)
    external_user_id: FreeText | None = None


class PasskeyItem(WireModel):
    """One passkey.

    :ivar credential_id: Base64
    :ivar passkey_type: SYNCED, DEVICE_BOUND or UNKNOWN; what it rests on in `synced_by`
    :ivar format: of the attestation statement
    :ivar trust: how far the origin is proven (§4.10); `anchor` on whose word, `vouched`: of the model too
    :ivar attestation_reason: why it is no further, or what ``enforce`` would have said under ``monitor``
    :ivar blocked_by_policy: what the policy of the application says to the next sign-in, if it refuses
    """

    activation_id: str
    application_id: str
    user_id: str
    activation_name: str | None
    activation_status: Open[ActivationStatus]
    blocked_reason: str | None
    blocked_by_policy: str | None
    credential_id: str
    passkey_type: str
    synced_by: str | None
    aaguid: str
    device_info: str | None
    platform: str | None
    transports: list[str]
    format: str | None
    attestation_type: str | None
    trust: str
    anchor: str | None
    vouched: bool
    attestation_reason: str | None
    timestamp_created: CoreDateTime
    timestamp_last_used: CoreDateTime


class ListPasskeysRequest(RequestModel):
    """``passkey/list``."""

    user_id: RequiredText
    application_ids: list[str] | None = None


class ListPasskeysResponse(WireModel):
    """Passkeys of a user that are ACTIVE or BLOCKED, newest first."""

    passkeys: list[PasskeyItem]


class RemovePasskeyRequest(RequestModel):
    """``passkey/remove``."""

    activation_id: RequiredText
    external_user_id: FreeText | None = None
    application_ids: list[str] | None = None


class RemovePasskeyResponse(WireModel):
    """The passkey is removed now."""

    activation_id: str
    removed: bool


class ModelCount(WireModel):
    """How many passkeys say that they are of a model."""

    aaguid: str
    device_info: str | None
    count: int


class TypeCount(WireModel):
    """How many passkeys are of a type, and what that rests on."""

    passkey_type: str
    synced_by: str | None
    count: int


class PasskeyStatistics(WireModel):
    """Numbers of the passkeys of an application that are ACTIVE or BLOCKED.

    :ivar by_aaguid: the most frequent models first, 1000 at most
    :ivar by_blocked_reason: passkeys that can not be used, by the policy's code or the activation's reason
    :ivar by_monitor_verdict: what ``enforce`` would have said at their registration under ``monitor``
    """

    credentials_total: int
    by_aaguid: list[ModelCount]
    by_type: list[TypeCount]
    by_trust: dict[str, int]
    by_blocked_reason: dict[str, int]
    by_monitor_verdict: dict[str, int]


POLICY_DETAIL = Call(
    "/rest/v3/passkey/policy/detail", PolicyRequest, PolicyDetail, "The passkey policy of an application."
)
POLICY_IMPACT = Call(
    "/rest/v3/passkey/policy/impact",
    PolicyImpactRequest,
    PolicyImpact,
    "Who would lose passkeys by a change of the policy; nothing is changed.",
)
POLICY_UPDATE = Call(
    "/rest/v3/passkey/policy/update",
    UpdatePolicyRequest,
    PolicyDetail,
    "Replace the passkey policy of an application.",
)
LIST = Call("/rest/v3/passkey/list", ListPasskeysRequest, ListPasskeysResponse, "Passkeys of a user.")
REMOVE = Call("/rest/v3/passkey/remove", RemovePasskeyRequest, RemovePasskeyResponse, "Remove a passkey.")
STATISTICS = Call(
    "/rest/v3/passkey/statistics", PolicyRequest, PasskeyStatistics, "Numbers of an application's passkeys."
)
