"""Recovery codes that live and die with an activation (spec/core-api.md §8.1, §22)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import RecoveryCodeStatus, RecoveryPukStatus
from powerauth_core.activations.models import Activation
from powerauth_core.activations.rules import is_pending
from powerauth_core.kernel.changes import ActivationChanged, Cause, OperationChanged
from powerauth_core.kernel.errors import RecoveryCodeNotGenerated
from powerauth_core.kernel.hashing import PasswordHashes
from powerauth_core.kernel.records import RecordCipher, recovery_puk_parts
from powerauth_core.recovery import repository
from powerauth_core.recovery.models import RecoveryCode, RecoveryPuk
from powerauth_core.settings import CoreSettings
from powerauth_protocol.v3 import recovery as protocol
from servicekit import clock
from servicekit.additions import Additions, Alteration

if TYPE_CHECKING:
    from powerauth_core.kernel.hashing import PasswordHashes


_ENDS = (Cause.GIVEN_UP, Cause.REMOVAL_WITH_CODES)
_USABLE_FROM_NOW_ON = Alteration(
    RecoveryCode.__tablename__,
    {"activation_id": "varchar", "now": "timestamp"},
    {"status": str(RecoveryCodeStatus.ACTIVE.code), "timestamp_last_change": "{now}"},
    f"activation_id = {{activation_id}} AND status = {RecoveryCodeStatus.CREATED.code}",
)


@dataclass(frozen=True, slots=True)
class NewCode:
    """A generated code whose PUKs are hashed, ready to be stored.

    :ivar hashes: Argon2 texts of the PUKs, in order
    """

    generated: protocol.RecoveryCode = field(repr=False)
    hashes: tuple[str, ...] = field(repr=False)


async def is_enabled(session: AsyncSession, application_rid: int) -> bool:
    """Whether the application's activations get and accept recovery codes."""
    config = await repository.find_config(session, application_rid)
    return config is not None and config.activation_recovery_enabled


async def generate_for_activation(
    settings: CoreSettings, hashes: PasswordHashes, session: AsyncSession, application_rid: int
) -> NewCode:
    """Make a code with one PUK. Hashing takes a while: call it before rows are locked.

    :raises RecoveryCodeNotGenerated: every generated code was taken
    """
    secret = os.urandom(protocol.ACTIVATION_SECRET_LENGTH)
    generated = await generate_unused(settings, session, application_rid, secret, 1)
    return NewCode(generated, await hash_puks(hashes, f"application {application_rid}", generated.puks))


async def generate_unused(
    settings: CoreSettings, session: AsyncSession, application_rid: int, secret: bytes, puk_count: int
) -> protocol.RecoveryCode:
    """Make a code that the application does not have yet.

    :param secret: 16 random bytes, or the 32-byte ECDH result of a postcard
    :raises RecoveryCodeNotGenerated: every generated code was taken
    """
    for _ in range(settings.generate_recovery_code_iterations):
        generated = protocol.generate(secret, puk_count)
        if not await repository.code_exists(session, application_rid, generated.code):
            return generated
    raise RecoveryCodeNotGenerated()


async def hash_puks(hashes: PasswordHashes, share: str, puks: Sequence[str]) -> tuple[str, ...]:
    """Argon2 texts of the PUKs, one after another.

    :param share: whom they are for, as `PasswordHashes.hash`
    """
    return tuple([await hashes.hash(share, puk) for puk in puks])


async def store(
    settings: CoreSettings,
    cipher: RecordCipher,
    session: AsyncSession,
    new: NewCode,
    *,
    application_rid: int,
    user_id: str,
    activation_id: str | None,
    status: RecoveryCodeStatus,
) -> RecoveryCode:
    """Insert a code and its PUKs; the hashes are encrypted at rest.

    :param activation_id: None for a postcard
    """
    now = clock.now()
    code = RecoveryCode(
        recovery_code=new.generated.code,
        application_id=application_rid,
        user_id=user_id,
        activation_id=activation_id,
        status=status,
        failed_attempts=0,
        max_failed_attempts=settings.recovery_max_failed_attempts,
        timestamp_created=now,
        timestamp_last_change=now,
    )
    session.add(code)
    await session.flush()
    for index, puk_hash in enumerate(new.hashes, start=1):
        parts = recovery_puk_parts(application_rid, user_id, code.recovery_code, index)
        mode, stored = cipher.encrypt_text(parts, puk_hash)
        session.add(
            RecoveryPuk(
                recovery_code_id=code.id,
                puk=stored,
                puk_encryption=mode.value,
                puk_index=index,
                status=RecoveryPukStatus.VALID,
                timestamp_last_change=now,
            )
        )
    await session.flush()
    return code


async def issue(
    settings: CoreSettings,
    cipher: RecordCipher,
    session: AsyncSession,
    new: NewCode,
    activation: Activation,
    status: RecoveryCodeStatus,
) -> RecoveryCode:
    """Store a code bound to an activation."""
    return await store(
        settings,
        cipher,
        session,
        new,
        application_rid=activation.application_id,
        user_id=activation.user_id,
        activation_id=activation.activation_id,
        status=status,
    )


class Keeper:
    """Makes the new codes of an activation usable when it is committed."""

    def activation_changed(self, additions: Additions, change: ActivationChanged) -> None:
        """The activation is locked."""
        if change.cause is Cause.COMMIT:
            additions.add(_USABLE_FROM_NOW_ON, (change.activation_id, change.changed))

    def operation_changed(self, additions: Additions, change: OperationChanged) -> None:
        """Nothing of a code depends on operations."""


async def activations_changed(session: AsyncSession, changes: Sequence[ActivationChanged]) -> None:
    """The end of an activation may be that of its codes. The activations are locked.

    Codes of an unfinished activation are revoked with it in any case.
    """
    ended = [change.activation_id for change in changes if _ends_codes(change)]
    if ended:
        await revoke(session, await repository.lock_of_activations(session, ended))


def _ends_codes(change: ActivationChanged) -> bool:
    return change.cause in _ENDS or (change.cause is Cause.REMOVAL and _was_pending(change))


def _was_pending(change: ActivationChanged) -> bool:
    return change.previous_status is not None and is_pending(change.previous_status)


async def revoke(session: AsyncSession, codes: Sequence[RecoveryCode]) -> bool:
    """Revoke locked codes and their valid PUKs.

    :return: whether at least one code changed
    """
    now = clock.now()
    revoked = [code for code in codes if code.status is not RecoveryCodeStatus.REVOKED]
    for code in revoked:
        code.status = RecoveryCodeStatus.REVOKED
        code.timestamp_last_change = now
    if revoked:
        await repository.invalidate_puks(session, [code.id for code in revoked], now)
    return bool(revoked)
