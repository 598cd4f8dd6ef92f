"""The usual key exchange by code, without a lock: one read, the decision, and one write that does nothing
unless all is still as it was read.
"""

from __future__ import annotations

from collections.abc import Sequence

from powerauth_contracts.enums import CommitPhase
from powerauth_core.activations.history import changed
from powerauth_core.activations.rules import CREATED, OtpCheck, otp_check, status_after_key_exchange
from powerauth_core.activations.stored import ActivationRow, FoundActivation
from powerauth_core.activations.writing import Write
from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.envelopes.service import ClosedEnvelope, once_of
from powerauth_core.envelopes.spending import Unspent
from powerauth_core.exchange.exchanged import Exchanged
from powerauth_core.exchange.offer import Offer, accept, open_unremembered_offer, seal_answer
from powerauth_core.exchange.ports import Ports
from powerauth_core.exchange.statements import WAITING
from powerauth_protocol.groups import Envelope
from powerauth_protocol.v3 import activation_code
from servicekit import clock


async def prepare(
    ports: Ports,
    code: str,
    closed: ClosedEnvelope,
    *,
    generate_recovery_codes: bool,
    scope: Sequence[str] | None,
    outer: Unspent | None,
) -> Exchanged | Offer | None:
    """As `key_exchange.prepare`.

    :return: if a session has to decide (something is to be refused, expired, counted, or issued besides) the
        unremembered offer, or None if there is none that can still be answered
    :raises CoreError: the envelope does not open, as `open_offer`
    """
    application = await ports.application_cache.facts(ports.database, closed.application_key)
    if application is None or not application.supported or not activation_code.validate(code):
        return None
    envelope = closed.judged()
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
        return await _store(ports, application, found, offer, envelope, outer)


async def _store(
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
