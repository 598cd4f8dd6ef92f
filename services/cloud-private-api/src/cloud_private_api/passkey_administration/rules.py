"""Passkeys and their policy in the words of this API, without I/O (spec/device-trust.md §4.13)."""

from __future__ import annotations

import re

from cloud_private_api.errors import PreconditionFailed
from powerauth_contracts.cloud.passkeys import (
    LoginPreferences,
    ModelCount,
    Passkey,
    PasskeyImpact,
    PasskeyStatistics,
    Preferences,
    PreferredMethods,
    TypeCount,
)
from powerauth_contracts.rest import passkeys as contract

_TAG = re.compile(r'"?([0-9]{1,18})"?', re.ASCII)


def version_of(if_match: str | None) -> int | None:
    """The version that a change is made of; None: of whatever there is.

    :param if_match: the header
    :raises PreconditionFailed: it names none of ours
    """
    if if_match is None or if_match.strip() == "*":
        return None
    found = _TAG.fullmatch(if_match.strip())
    if found is None:
        raise PreconditionFailed
    return int(found[1])


def preferences(detail: contract.PolicyDetail) -> LoginPreferences:
    """The policy of an application."""
    methods = PreferredMethods(webauthn_api=detail.policy)
    return LoginPreferences(
        result=Preferences(auth_methods=methods),
        effective=detail.effective,
        warnings=detail.warnings,
        version=detail.version,
    )


def impact(found: contract.PolicyImpact) -> PasskeyImpact:
    """The impact of a proposed policy."""
    return PasskeyImpact.model_validate(found.model_dump())


def passkey(item: contract.PasskeyItem) -> Passkey:
    """One passkey."""
    return Passkey(
        registration_id=item.activation_id,
        app_id=item.application_id,
        user_id=item.user_id,
        registration_name=item.activation_name,
        registration_status=item.activation_status,
        blocked_reason=item.blocked_reason,
        blocked_by_policy=item.blocked_by_policy,
        credential_id=item.credential_id,
        passkey_type=item.passkey_type,
        synced_by=item.synced_by,
        aaguid=item.aaguid,
        device_info=item.device_info,
        platform=item.platform,
        transports=item.transports,
        format=item.format,
        attestation_type=item.attestation_type,
        att_trust=item.trust,
        att_anchor=item.anchor,
        vouched=item.vouched,
        att_reason=item.attestation_reason,
        timestamp_created=item.timestamp_created,
        timestamp_last_used=item.timestamp_last_used,
    )


def statistics(found: contract.PasskeyStatistics) -> PasskeyStatistics:
    """Numbers of an application's passkeys."""
    return PasskeyStatistics(
        credentials_total=found.credentials_total,
        by_aaguid=[ModelCount.model_validate(one.model_dump()) for one in found.by_aaguid],
        by_type=[TypeCount.model_validate(one.model_dump()) for one in found.by_type],
        by_trust=found.by_trust,
        by_blocked_reason=found.by_blocked_reason,
        by_monitor_verdict=found.by_monitor_verdict,
    )
