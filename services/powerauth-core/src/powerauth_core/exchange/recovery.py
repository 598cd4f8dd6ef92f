"""A new activation for a recovery code and its PUK (spec/core-api.md §8.2, spec/protocol-v3.md §4.4)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import RecoveryCodeStatus, RecoveryPukStatus
from powerauth_core.activations import repository as activations
from powerauth_core.activations.administration import remove_locked
from powerauth_core.activations.initialisation import Properties, hash_otp
from powerauth_core.activations.models import Activation
from powerauth_core.applications.cache import ApplicationCache, ApplicationFacts
from powerauth_core.envelopes.service import ClosedEnvelope
from powerauth_core.exchange.key_exchange import create_for
from powerauth_core.exchange.offer import Exchanged, open_offer
from powerauth_core.exchange.ports import Ports
from powerauth_core.kernel.errors import InvalidRecoveryCode, InvalidRequest, RecoveryPukMismatch
from powerauth_core.kernel.hashing import PasswordHashes
from powerauth_core.kernel.records import RecordCipher, recovery_puk_parts
from powerauth_core.recovery import lifecycle, repository
from powerauth_core.recovery.models import RecoveryCode, RecoveryPuk
from powerauth_core.recovery.rules import current_puk, wrong_guess
from servicekit import clock


async def create(
    ports: Ports,
    *,
    code: str,
    puk: str,
    closed: ClosedEnvelope,
    otp: str | None = None,
    max_failure_count: int | None = None,
    generate_recovery_codes: bool = True,
    application_ids: Sequence[str] | None = None,
    commit: bool = False,
) -> Exchanged:
    """``activation/recovery/create``, which replaces a lost activation: the right PUK removes the old one and
    exchanges keys for a new one.

    Guesses take turns: first the old activation is locked, then the code, then the PUK is compared.

    :param commit: commit at once, as the configuration of the caller's activation type may say
    :raises InvalidRequest: recovery is not offered, the application version is unusable, or no usable code
    :raises RecoveryPukMismatch: wrong PUK, counted; names the PUK to enter
    :raises InvalidRecoveryCode: wrong PUK, counted, and no PUK can be entered any more
    :raises CoreError: the envelope does not open, or the activation cannot be started
    """
    envelope = closed.judged()
    async with ports.database.transaction() as session:
        application = await _application(
            ports.application_cache, session, closed.application_key, application_ids
        )
        offer = await open_offer(ports, session, application, envelope)
        otp_hash = await hash_otp(ports.hashes, code, otp)
        stored, bound = await _lock_code(session, application, code)
        await _redeem(ports.cipher, ports.hashes, session, stored, puk)
        if bound is not None:
            await remove_locked(ports.changes, session, bound, revoke_recovery_codes=True)
        properties = Properties(
            user_id=stored.user_id,
            max_failure_count=max_failure_count,
            otp_hash=otp_hash,
            flags=tuple(bound.flags or ()) if bound is not None else (),
        )
        return await create_for(
            ports,
            session,
            application,
            properties,
            offer,
            generate_recovery_codes=generate_recovery_codes,
            commit=commit,
        )


async def _application(
    application_cache: ApplicationCache,
    session: AsyncSession,
    application_key: str,
    application_ids: Sequence[str] | None,
) -> ApplicationFacts:
    application = await application_cache.by_key(session, application_key)
    if application is None or not application.supported:
        raise InvalidRequest()
    if application_ids is not None and application.application_id not in application_ids:
        raise InvalidRequest()
    if not await lifecycle.is_enabled(session, application.application_rid):
        raise InvalidRequest()
    return application


async def _lock_code(
    session: AsyncSession, application: ApplicationFacts, text: str
) -> tuple[RecoveryCode, Activation | None]:
    """The ACTIVE code and the activation it is bound to, both locked in this order's reverse (D9)."""
    found = await repository.find_by_code(session, application.application_rid, text)
    if found is None:
        raise InvalidRequest()
    bound = None
    if found.activation_id is not None:
        bound = await activations.lock(session, found.activation_id)
    code = await repository.lock(session, found.id)
    if code is None or code.status is not RecoveryCodeStatus.ACTIVE:
        raise InvalidRequest()
    return code, bound


async def _redeem(
    cipher: RecordCipher, hashes: PasswordHashes, session: AsyncSession, code: RecoveryCode, puk: str
) -> None:
    """Compare the current PUK of a locked code; use it up, or count the failure and raise."""
    puks = (await repository.puks_of(session, [code.id]))[code.id]
    current = current_puk(puks)
    now = clock.now()
    if current is not None and await _matches(cipher, hashes, code, current, puk):
        code.failed_attempts = 0
        code.timestamp_last_used = now
        code.timestamp_last_change = now
        current.status = RecoveryPukStatus.USED
        current.timestamp_last_change = now
        await session.flush()
        return
    guess = wrong_guess(code.failed_attempts, code.max_failed_attempts, had_valid_puk=current is not None)
    code.failed_attempts = guess.failed_attempts
    code.timestamp_last_change = now
    if current is None:
        raise InvalidRecoveryCode(keep_changes=True)
    if guess.exhausted:
        code.status = RecoveryCodeStatus.BLOCKED
        current.status = RecoveryPukStatus.INVALID
        current.timestamp_last_change = now
        raise InvalidRecoveryCode(keep_changes=True)
    raise RecoveryPukMismatch(current.puk_index)


async def _matches(
    cipher: RecordCipher, hashes: PasswordHashes, code: RecoveryCode, puk: RecoveryPuk, supplied: str
) -> bool:
    if puk.puk is None:
        return False
    parts = recovery_puk_parts(code.application_id, code.user_id, code.recovery_code, puk.puk_index)
    stored = cipher.decrypt_text(puk.puk_encryption, parts, puk.puk)
    return await hashes.matches(code.recovery_code, supplied, stored)
