"""Every call of the cloud's API (spec/cloud-api.md)."""

from __future__ import annotations

from typing import Any

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.cloud import (
    applications,
    audit,
    callbacks,
    campaigns,
    device_bindings,
    fido2,
    inbox,
    localizations,
    mds,
    messages,
    offline,
    operations,
    passkeys,
    properties,
    push_credentials,
    registrations,
    signed_tokens,
    telemetry,
    templates,
    users,
    verification,
)

CALLS: tuple[Endpoint[Any, Any], ...] = tuple(
    call
    for subject in (
        applications,
        audit,
        callbacks,
        campaigns,
        device_bindings,
        fido2,
        inbox,
        localizations,
        mds,
        messages,
        offline,
        operations,
        passkeys,
        properties,
        push_credentials,
        registrations,
        signed_tokens,
        telemetry,
        templates,
        users,
        verification,
    )
    for call in vars(subject).values()
    if isinstance(call, Endpoint)
)
