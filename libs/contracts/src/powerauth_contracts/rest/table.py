"""Every call of the core's door inside the network, ``/rest/v3`` (spec/core-api.md) and ``/fido2``
(spec/device-trust.md §4.2).
"""

from __future__ import annotations

from typing import Any

from powerauth_contracts.calls import Call
from powerauth_contracts.rest import (
    activation_administration,
    activations,
    applications,
    audit,
    binding_tickets,
    callbacks,
    envelopes,
    exchange,
    fido2,
    integrations,
    jwt,
    mds,
    operations,
    passkeys,
    recovery,
    statements,
    system,
    telemetry,
    templates,
    temporary_keys,
    tokens,
    upgrade,
    vault,
    verification,
)

DOOR = "/rest/v3"
BUNDLE = f"{DOOR}/bundle"
"""Takes several fast calls at once."""

CALLS: tuple[Call[Any, Any], ...] = tuple(
    call
    for subject in (
        system,
        applications,
        callbacks,
        integrations,
        activations,
        activation_administration,
        exchange,
        recovery,
        verification,
        vault,
        tokens,
        envelopes,
        temporary_keys,
        upgrade,
        operations,
        passkeys,
        templates,
        fido2,
        audit,
        telemetry,
        mds,
        statements,
        jwt,
        binding_tickets,
    )
    for call in vars(subject).values()
    if isinstance(call, Call)
)
