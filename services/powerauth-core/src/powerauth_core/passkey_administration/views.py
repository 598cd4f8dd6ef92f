"""Passkeys and policies as the wire has them (spec/device-trust.md §4.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from powerauth_contracts.rest import passkeys as contract

if TYPE_CHECKING:
    from powerauth_core.passkey_administration.policy_service import Detail
    from powerauth_core.passkey_administration.service import Shown
    from powerauth_core.passkey_administration.statistics import Statistics


def policy_detail(application_id: str, found: Detail) -> contract.PolicyDetail:
    """The policy of an application."""
    from powerauth_core.passkeys import policy as policies  # noqa: PLC0415 - certificates: costs a start

    stored = found.stored
    return contract.PolicyDetail(
        application_id=application_id,
        policy=None if stored is None else policies.written(stored.policy),
        version=0 if stored is None else stored.version,
        changed_by=None if stored is None else stored.changed_by,
        timestamp_changed=None if stored is None else stored.changed_at,
        effective=dict(found.judged.effective),
        warnings=found.judged.warnings,
    )


def passkey_item(shown: Shown) -> contract.PasskeyItem:
    """One passkey."""
    passkey, extras, activation = shown.passkey, shown.passkey.extras, shown.passkey.activation
    return contract.PasskeyItem(
        activation_id=passkey.activation_id,
        application_id=passkey.application_id,
        user_id=passkey.user_id,
        activation_name=activation.activation_name,
        activation_status=passkey.status,
        blocked_reason=activation.blocked_reason,
        blocked_by_policy=shown.blocked,
        credential_id=passkey.credential_id,
        passkey_type=shown.type.type,
        synced_by=shown.type.synced_by,
        aaguid=str(extras.aaguid),
        device_info=activation.device_info,
        platform=activation.platform,
        transports=list(extras.transports or ()),
        format=extras.fmt,
        attestation_type=extras.att_type,
        trust=extras.att_trust,
        anchor=extras.att_anchor,
        vouched=extras.att_vouched,
        attestation_reason=extras.att_reason,
        timestamp_created=activation.timestamp_created,
        timestamp_last_used=activation.timestamp_last_used,
    )


def statistics(found: Statistics) -> contract.PasskeyStatistics:
    """Numbers of passkeys, the largest first."""
    return contract.PasskeyStatistics(
        credentials_total=found.total,
        by_aaguid=[
            contract.ModelCount(aaguid=str(aaguid), device_info=found.names[aaguid], count=count)
            for aaguid, count in found.models.most_common()
        ],
        by_type=[
            contract.TypeCount(passkey_type=one.type, synced_by=one.synced_by, count=count)
            for one, count in found.types.most_common()
        ],
        by_trust=dict(found.trust.most_common()),
        by_blocked_reason=dict(found.blocked.most_common()),
        by_monitor_verdict=dict(found.monitored.most_common()),
    )
