"""Signed actions whose envelope has a purpose of its own (encrypt-then-sign, spec/enrollment-api.md §4.5)."""

from __future__ import annotations

from enrollment.core_client import CoreDoor
from enrollment.errors import (
    RecoveryConfirmFailed,
    RequestInvalid,
    TokenFailed,
    VaultFailed,
)
from enrollment.pipeline import calls
from enrollment.pipeline.envelopes import is_envelope
from enrollment.pipeline.incoming import Incoming, signature_header
from enrollment.wire import EnvelopeMembers
from powerauth_contracts.dmz.models import SealedAnswer, SealedRequest
from powerauth_contracts.dmz.table import RECOVERY_CONFIRM, TOKEN_CREATE, VAULT_UNLOCK, SignedCall
from powerauth_contracts.texts import CoreRefused
from servicekit.errors import ServiceError


async def create_token(door: CoreDoor, incoming: Incoming) -> EnvelopeMembers:
    """Issue a token of the factor type that signed (spec/enrollment-api.md §6.8).

    :raises SignatureInvalid: when not authenticated.
    :raises RequestInvalid: when the envelope does not have the version's form.
    :raises TokenFailed: when the core refuses.
    """
    return await _signed_then_judged(door, TOKEN_CREATE, incoming, TokenFailed)


async def confirm_recovery(door: CoreDoor, incoming: Incoming) -> EnvelopeMembers:
    """Confirm a recovery code (spec/enrollment-api.md §6.13).

    :raises SignatureInvalid: when not authenticated.
    :raises RequestInvalid: when the envelope does not have the version's form.
    :raises RecoveryConfirmFailed: when the core refuses.
    """
    return await _signed_then_judged(door, RECOVERY_CONFIRM, incoming, RecoveryConfirmFailed)


async def unlock_vault(door: CoreDoor, incoming: Incoming) -> EnvelopeMembers:
    """Hand out the vault key, sealed (spec/enrollment-api.md §6.10).

    The form of the envelope is looked at first here: the core judges factor type and signature itself.

    :raises SignatureInvalid: when not authenticated.
    :raises RequestInvalid: when the envelope does not have the version's form.
    :raises VaultFailed: when the core refuses, for the factor type too.
    """
    header = signature_header(incoming, VAULT_UNLOCK.purpose.types)
    if not is_envelope(incoming.body, header.version):
        raise RequestInvalid
    return await calls.sealed(door, VAULT_UNLOCK, incoming.body, [header], VaultFailed, RequestInvalid)


async def _signed_then_judged(
    door: CoreDoor,
    target: SignedCall[SealedRequest, SealedAnswer],
    incoming: Incoming,
    failure: type[ServiceError],
) -> EnvelopeMembers:
    """The core verifies before it looks at the envelope, so a broken one is told only to who signed it."""
    header = signature_header(incoming, target.purpose.types)

    def refused(_refusal: CoreRefused) -> ServiceError:
        return failure() if is_envelope(incoming.body, header.version) else RequestInvalid()

    return await calls.sealed(door, target, incoming.body, [header], refused, RequestInvalid)
