"""Wire models of login preferences and of passkeys (spec/device-trust.md §4.13)."""

from __future__ import annotations

from types import NoneType
from typing import Any

from pydantic import Field

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.wire import EpochMillis, RequestModel, StatusResponse, WireModel


class AuthMethods(RequestModel):
    """The ways to log in of an application, of which passkeys are one: the object of §4.7."""

    webauthn_api: dict[str, Any] = Field(alias="webauthn_api")


class PreferredMethods(WireModel):
    """The same in an answer; without a policy there is no member."""

    webauthn_api: dict[str, Any] | None = Field(default=None, alias="webauthn_api")


class Preferences(WireModel):
    """What is configured."""

    auth_methods: PreferredMethods = Field(alias="auth_methods")


class LoginPreferences(WireModel):
    """What is configured, and what of it holds.

    :ivar effective: ``none``, ``advisory`` or ``binding`` by list
    :ivar version: of the policy, also the answer's ``ETag``; 0: none was ever set
    """

    result: Preferences
    effective: dict[str, str]
    warnings: list[str]
    version: int


class PasskeyImpact(WireModel):
    """What a proposed policy would take from users, against the one in force."""

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


class Passkey(WireModel):
    """One passkey.

    :ivar blocked_by_policy: what the policy of the application says to the next sign-in, if it refuses
    """

    registration_id: str
    app_id: str
    user_id: str
    registration_name: str | None = None
    registration_status: str
    blocked_reason: str | None = None
    blocked_by_policy: str | None = None
    credential_id: str
    passkey_type: str
    synced_by: str | None = None
    aaguid: str
    device_info: str | None = None
    platform: str | None = None
    transports: list[str]
    format: str | None = None
    attestation_type: str | None = None
    att_trust: str
    att_anchor: str | None = None
    vouched: bool
    att_reason: str | None = None
    timestamp_created: EpochMillis
    timestamp_last_used: EpochMillis


class Passkeys(WireModel):
    """Passkeys of a user that are ACTIVE or BLOCKED, newest first."""

    passkeys: list[Passkey]


class ModelCount(WireModel):
    """How many passkeys say that they are of a model."""

    aaguid: str
    device_info: str | None = None
    count: int


class TypeCount(WireModel):
    """How many passkeys are of a type, and what that rests on."""

    passkey_type: str
    synced_by: str | None = None
    count: int


class PasskeyStatistics(WireModel):
    """Numbers of the passkeys of an application."""

    credentials_total: int
    by_aaguid: list[ModelCount]
    by_type: list[TypeCount]
    by_trust: dict[str, int]
    by_blocked_reason: dict[str, int]
    by_monitor_verdict: dict[str, int]


GET_LOGIN_PREFERENCES = Endpoint(
    "getLoginPreferences", "GET", "/loginPreferences/{appId}", NoneType, LoginPreferences
)
UPDATE_LOGIN_PREFERENCES = Endpoint(
    "updateLoginPreferences",
    "PUT",
    "/loginPreferences/{appId}/authMethods",
    AuthMethods,
    LoginPreferences,
)
LOGIN_PREFERENCES_IMPACT = Endpoint(
    "getLoginPreferencesImpact", "POST", "/loginPreferences/{appId}/impact", AuthMethods, PasskeyImpact
)
LIST_PASSKEYS = Endpoint("listPasskeys", "GET", "/v2/passkeys", NoneType, Passkeys)
PASSKEY_STATISTICS = Endpoint(
    "getPasskeyStatistics", "GET", "/v2/passkeys/statistics", NoneType, PasskeyStatistics
)
REMOVE_PASSKEY = Endpoint(
    "removePasskey", "DELETE", "/v2/passkeys/{registrationId}", NoneType, StatusResponse
)
