"""Signed actions whose envelope passes through closed, both ways (spec/enrollment-api.md §4.5)."""

from __future__ import annotations

from enrollment.container import Enrollment
from enrollment.core_actions import (
    RECOVERY_CONFIRM,
    TOKEN_CREATE,
    VAULT_UNLOCK,
    SignedCall,
)
from enrollment.core_answers import EnvelopeAnswer, EnvelopeMembers
from enrollment.core_client import CoreRefused
from enrollment.errors import (
    RecoveryConfirmFailed,
    RequestInvalid,
    SignatureInvalid,
    TokenFailed,
    VaultFailed,
)
from enrollment.pipeline.envelopes import envelope_members
from enrollment.pipeline.incoming import Incoming, signature_header
from servicekit.errors import RemoteUnavailable, ServiceError


async def create_token(enrollment: Enrollment, incoming: Incoming) -> EnvelopeMembers:
    """Issue a token of the factor type that signed (spec/enrollment-api.md §6.8).

    :raises SignatureInvalid: when not authenticated.
    :raises RequestInvalid: when the envelope does not have the version's form.
    :raises TokenFailed: when the core refuses.
    """
    return await _signed_then_judged(enrollment, TOKEN_CREATE, incoming, TokenFailed)


async def confirm_recovery(enrollment: Enrollment, incoming: Incoming) -> EnvelopeMembers:
    """Confirm a recovery code (spec/enrollment-api.md §6.13).

    :raises SignatureInvalid: when not authenticated.
    :raises RequestInvalid: when the envelope does not have the version's form.
    :raises RecoveryConfirmFailed: when the core refuses.
    """
    return await _signed_then_judged(enrollment, RECOVERY_CONFIRM, incoming, RecoveryConfirmFailed)


async def unlock_vault(enrollment: Enrollment, incoming: Incoming) -> EnvelopeMembers:
    """Hand out the vault key, sealed (spec/enrollment-api.md §6.10).

    The form of the envelope is looked at first here: the core judges factor type and signature itself.

    :raises SignatureInvalid: when not authenticated.
    :raises RequestInvalid: when the envelope does not have the version's form.
    :raises VaultFailed: when the core refuses, for the factor type too.
    """
    header = signature_header(incoming, VAULT_UNLOCK.allowed)
    if header is None:
        raise SignatureInvalid
    if envelope_members(incoming.body, header.version) is None:
        raise RequestInvalid
    try:
        answer = await enrollment.door.signed(VAULT_UNLOCK, header, incoming.body)
    except CoreRefused:
        raise VaultFailed from None
    return _envelope(answer)


async def _signed_then_judged(
    enrollment: Enrollment,
    target: SignedCall[EnvelopeAnswer],
    incoming: Incoming,
    failure: type[ServiceError],
) -> EnvelopeMembers:
    """The core verifies before it looks at the envelope, so a broken one is told only to who signed it."""
    header = signature_header(incoming, target.allowed)
    if header is None:
        raise SignatureInvalid
    try:
        answer = await enrollment.door.signed(target, header, incoming.body)
    except CoreRefused:
        well_formed = envelope_members(incoming.body, header.version) is not None
        raise (failure if well_formed else RequestInvalid) from None
    return _envelope(answer)


def _envelope(answer: EnvelopeAnswer | None) -> EnvelopeMembers:
    if answer is None:
        raise SignatureInvalid
    if answer.refusal is not None:
        raise RequestInvalid
    if answer.envelope is None:
        raise RemoteUnavailable("the core's answer has no envelope")
    return {name: value for name, value in answer.envelope.items() if value is not None}
