"""Key exchange: a device joins an activation (spec/core-api.md §7, spec/protocol-v3.md §4.3, §4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationStatus, CommitPhase, RecoveryCodeStatus
from powerauth_core.activations import otp, repository
from powerauth_core.activations.commit import commit_locked, commits_unasked
from powerauth_core.activations.expiry import expire_if_overdue
from powerauth_core.activations.history import changed
from powerauth_core.activations.initialisation import Properties, check_expiration, hash_otp, initialise
from powerauth_core.activations.models import Activation
from powerauth_core.activations.rules import (
    ACTIVE,
    CREATED,
    PENDING_COMMIT,
    Call,
    OtpCheck,
    otp_check,
    permits,
    status_after_key_exchange,
)
from powerauth_core.activations.stored import ActivationRow, FoundActivation
from powerauth_core.activations.writing import Write
from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.envelopes.service import ClosedEnvelope, once_of
from powerauth_core.envelopes.spending import Unspent
from powerauth_core.exchange.offer import (
    Exchanged,
    Offer,
    accept,
    open_offer,
    open_unremembered_offer,
    seal_answer,
)
from powerauth_core.exchange.ports import Ports
from powerauth_core.exchange.statements import WAITING
from powerauth_core.kernel.errors import ActivationExpired, ActivationNotFound, InvalidApplication
from powerauth_core.kernel.hashing import PasswordHashes
from powerauth_core.recovery import lifecycle
from powerauth_core.settings import CoreSettings
from powerauth_core.transfers import service as transfers
from powerauth_protocol.groups import Envelope
from powerauth_protocol.v3 import activation_code
from powerauth_protocol.v3.activation import ActivationRecovery
from servicekit import clock
from servicekit.row_macs import judged


async def prepare(
    ports: Ports,
    *,
    code: str,
    closed: ClosedEnvelope,
    generate_recovery_codes: bool,
    application_ids: Sequence[str] | None = None,
    commit: bool = False,
    outer: Unspent | None = None,
) -> Exchanged:
    """``activation/prepare``: exchange keys for an activation code.

    The device's key is checked before the record is looked up, and an OTP that nobody asked for is ignored
    (spec/protocol-v3.md §4.3, ours).

    :param commit: commit at once, as the configuration of the caller's activation type may say
    :param outer: the envelope that this one came in, which is spent with it; by the caller, if this fails
    :raises ActivationExpired: the application version is unusable, or the activation is not CREATED any more
    :raises ActivationNotFound: no activation waits for this code
    :raises OtpMismatch: the OTP is wrong, missing or unexpected; counted failures are kept
    :raises IncorrectActivationState: the activation that opened this one is not ACTIVE any more
    :raises CoreError: the envelope does not open, as `open_offer`
    """
    envelope = closed.judged()
    opened = None
    if ports.activation_writer.writes and not commit:
        decided = await _without_lock(
            ports,
            code,
            closed.application_key,
            envelope,
            generate_recovery_codes=generate_recovery_codes,
            scope=application_ids,
            outer=outer,
        )
        if isinstance(decided, Exchanged):
            return decided
        opened = decided
    if outer is not None:
        await outer.spend()
    async with ports.database.transaction() as session:
        application = await ports.application_cache.by_key(session, closed.application_key)
        if application is None or not application.supported:
            raise ActivationExpired()
        offer = await open_offer(ports, session, application, envelope, opened)
        if application_ids is not None and application.application_id not in application_ids:
            raise ActivationNotFound()
        activation_id, parent_id = await _waiting_for(session, application, code)
        new_code = await _recovery_code(
            ports.settings, ports.hashes, session, application, wanted=generate_recovery_codes
        )
        locked = await repository.lock_many(session, {activation_id, parent_id or activation_id})
        activation = judged(locked.get(activation_id))
        if activation is None:
            raise ActivationNotFound()
        parent = judged(locked.get(parent_id)) if parent_id is not None else None
        if await expire_if_overdue(ports.changes, session, activation):
            raise ActivationExpired(keep_changes=True)
        permits(Call.KEY_EXCHANGE, activation.activation_status)
        await otp.validate(
            ports.hashes, ports.changes, session, activation, CommitPhase.ON_KEY_EXCHANGE, offer.otp
        )
        await transfers.check_parent(ports.changes, session, activation, parent)
        status = status_after_key_exchange(activation.activation_otp_validation, activation.commit_phase)
        response = await exchange(
            ports, session, application, activation, offer, status=status, new_code=new_code, commit=commit
        )
        await transfers.complete(ports.changes, session, activation, parent, application.application_id)
        return response


async def _without_lock(
    ports: Ports,
    code: str,
    application_key: str,
    envelope: Envelope,
    *,
    generate_recovery_codes: bool,
    scope: Sequence[str] | None,
    outer: Unspent | None,
) -> Exchanged | Offer | None:
    """The usual exchange: one read, the decision, and one write that does nothing unless all is still as it
    was read.

    :return: if a session has to decide (something is to be refused, expired, counted, or issued besides) the
        unremembered offer, or None if there is none that can still be answered
    :raises CoreError: the envelope does not open, as `open_offer`
    """
    application = await ports.application_cache.facts(ports.database, application_key)
    if application is None or not application.supported or not activation_code.validate(code):
        return None
    if outer is not None and not outer.is_for(envelope.temporary_key_id):
        await outer.spend()
    offer = await open_unremembered_offer(ports, application, envelope)
    async with ports.activation_writer.turn(code):
        found = await ports.activation_writer.find_by(
            WAITING,
            code,
            application.application_rid,
            clock.now(),
            envelope.temporary_key_id,
            generate_recovery_codes,
        )
        if found is None or not _asks_for_nothing(found.row, offer) or not _is_in(scope, application):
            return offer
        return await _write(ports, application, found, offer, envelope, outer)


async def _write(
    ports: Ports,
    application: ApplicationFacts,
    found: FoundActivation,
    offer: Offer,
    envelope: Envelope,
    outer: Unspent | None,
) -> Exchanged | None:
    row = found.row
    accept(row, offer)
    row.activation_status = status_after_key_exchange(row.activation_otp_validation, row.commit_phase)
    change = changed(row, application.application_id, previous_status=CREATED)
    # Before the write: whose answer cannot be sealed has not exchanged keys.
    answer = seal_answer(offer, row, None)
    envelopes = (once_of(ports.settings, envelope, None), None if outer is None else outer.once)
    once = [each for each in envelopes if each is not None]
    if not await ports.activation_writer.write(Write(found, change, once)):
        return None
    if outer is not None:
        outer.spent()
    return Exchanged.of(row, application, answer)


def _is_in(scope: Sequence[str] | None, application: ApplicationFacts) -> bool:
    return scope is None or application.application_id in scope


def _asks_for_nothing(row: ActivationRow, offer: Offer) -> bool:
    """Whether no OTP has to be looked at."""
    check = otp_check(
        CommitPhase.ON_KEY_EXCHANGE,
        offer.otp,
        row.activation_otp,
        row.activation_otp_validation,
        row.commit_phase,
    )
    return check is OtpCheck.SKIP


async def create(
    ports: Ports,
    *,
    user_id: str,
    closed: ClosedEnvelope,
    expires: datetime | None = None,
    max_failure_count: int | None = None,
    otp: str | None = None,
    additional_data: dict[str, Any] | None = None,
    generate_recovery_codes: bool = True,
    application_ids: Sequence[str] | None = None,
    commit: bool = False,
) -> Exchanged:
    """``activation/create``: exchange keys for a user whom the caller has identified; every failure leaves
    nothing behind.

    :param commit: commit at once, as the configuration of the caller's activation type may say
    :raises InvalidApplication: the application version is unknown or unsupported
    :raises InvalidRequest: the expiration has passed
    :raises CoreError: the envelope does not open, as `open_offer`, or the activation cannot be started,
        as `initialise`
    """
    check_expiration(expires, "creating activation")
    envelope = closed.judged()
    async with ports.database.transaction() as session:
        application = await ports.application_cache.by_key(session, closed.application_key)
        if application is None or not application.supported:
            raise InvalidApplication()
        if application_ids is not None and application.application_id not in application_ids:
            raise InvalidApplication()
        offer = await open_offer(ports, session, application, envelope)
        properties = Properties(
            user_id=user_id,
            expires=expires,
            max_failure_count=max_failure_count,
            otp_hash=await hash_otp(ports.hashes, user_id, otp),
            additional_data=additional_data,
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


async def create_for(
    ports: Ports,
    session: AsyncSession,
    application: ApplicationFacts,
    properties: Properties,
    offer: Offer,
    *,
    generate_recovery_codes: bool,
    commit: bool,
) -> Exchanged:
    """Start an activation and exchange its keys in one go; it is PENDING_COMMIT afterwards.

    :param generate_recovery_codes: issue one, if the application offers recovery
    :param commit: go on to ACTIVE
    """
    new_code = await _recovery_code(
        ports.settings, ports.hashes, session, application, wanted=generate_recovery_codes
    )
    activation = await initialise(ports, session, application, properties)
    if await expire_if_overdue(ports.changes, session, activation):
        raise ActivationExpired()
    return await exchange(
        ports,
        session,
        application,
        activation,
        offer,
        status=PENDING_COMMIT,
        new_code=new_code,
        commit=commit,
    )


async def exchange(
    ports: Ports,
    session: AsyncSession,
    application: ApplicationFacts,
    activation: Activation,
    offer: Offer,
    *,
    status: ActivationStatus,
    new_code: lifecycle.NewCode | None,
    commit: bool,
) -> Exchanged:
    """Store the device's key with a locked or new CREATED activation and answer with the server's.

    :param status: state after the exchange
    :param new_code: recovery code to issue with the activation
    """
    previous = activation.activation_status
    accept(activation, offer)
    activation.activation_status = status
    await ports.changes.record(session, activation, previous_status=previous)
    recovery = None
    if new_code is not None:
        code_status = RecoveryCodeStatus.ACTIVE if status is ACTIVE else RecoveryCodeStatus.CREATED
        await lifecycle.issue(ports.settings, ports.cipher, session, new_code, activation, code_status)
        recovery = ActivationRecovery(new_code.generated.code, new_code.generated.puks[0])
    if commit and commits_unasked(activation):
        await commit_locked(ports.hashes, ports.changes, session, activation)
    return Exchanged.of(activation, application, seal_answer(offer, activation, recovery))


async def _recovery_code(
    settings: CoreSettings,
    hashes: PasswordHashes,
    session: AsyncSession,
    application: ApplicationFacts,
    *,
    wanted: bool,
) -> lifecycle.NewCode | None:
    """A recovery code for the activation, if it is wanted and the application offers recovery."""
    if not wanted or not await lifecycle.is_enabled(session, application.application_rid):
        return None
    return await lifecycle.generate_for_activation(settings, hashes, session, application.application_rid)


async def _waiting_for(
    session: AsyncSession, application: ApplicationFacts, code: str
) -> tuple[str, str | None]:
    """Ids of the activation that waits for this code and of its parent; a malformed code is unknown."""
    if not activation_code.validate(code):
        raise ActivationNotFound()
    found = await repository.find_created_by_code(session, application.application_rid, code, clock.now())
    if found is None:
        raise ActivationNotFound()
    return found
