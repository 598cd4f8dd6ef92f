"""Registration in the browser (spec/device-trust.md §4.9): begun for whom a proof names, answered once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.binding_tickets import service as tickets
from powerauth_core.fido2 import registration
from powerauth_core.fido2.registration import Challenge, Registration
from powerauth_core.fido2.relying_party import RelyingParty
from powerauth_core.jwt.verification import bearer
from powerauth_core.kernel.errors import InvalidRequest
from powerauth_core.kernel.passkey_errors import PasskeyDenied, PasskeyFailed, PasskeySessionInvalid
from powerauth_core.passkey_records import repository as records
from powerauth_core.passkey_records.stored import Passkey
from powerauth_core.passkey_sessions import repository
from powerauth_core.passkey_sessions.models import PasskeySession
from powerauth_core.passkey_sessions.policies import policy_within
from powerauth_core.passkey_sessions.ports import Ports
from powerauth_core.passkey_sessions.rules import LIFE, Purpose, SessionId
from powerauth_core.passkeys.ceremony import RegistrationAnswer
from powerauth_core.passkeys.policy import Policy
from powerauth_core.passkeys.refusals import Malformed, PasskeyRefused, PolicyRefused
from servicekit import clock

SCOPE: Final = "passkey:register"
MAX_AGE: Final = 300
"""Seconds since the sign-in of a token that a passkey may be registered with."""


@dataclass(frozen=True, slots=True)
class Subject:
    """For whom a passkey is, as a proof says.

    :ivar ticket: hash of the ticket that was the proof
    """

    user_id: str
    application_id: str
    ticket: str | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """What the browser is told, beside what it asked for itself.

    :ivar user_handle: 16 bytes
    """

    id: SessionId = field(repr=False)
    policy: Policy
    challenge: Challenge = field(repr=False)
    user_handle: bytes

    @property
    def life_ms(self) -> int:
        """How long the browser has."""
        return int(LIFE.total_seconds() * 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What the browser answered.

    :ivar name: that the user gave the passkey
    :ivar attachment: as the browser claims it, for display; `transports` likewise
    """

    session_id: str = field(repr=False)
    name: str
    answer: RegistrationAnswer = field(repr=False)
    attachment: str | None
    transports: tuple[str, ...] | None


async def by_token(ports: Ports, session: AsyncSession, token: str) -> Subject:
    """Who shows an access token.

    :raises AccessTokenInvalid: it is not accepted
    """
    found = await bearer(ports, session, token, SCOPE, MAX_AGE)
    return Subject(found.user_id, found.application_id)


async def by_ticket(ports: Ports, session: AsyncSession, ticket: str) -> Subject:
    """For whom a ticket vouches; it is spent when the passkey comes.

    :raises TicketInvalid: unknown, over or used
    """
    found = await tickets.find(ports, session, ticket)
    return Subject(found.user_id, found.application_id, tickets.hash_of(ticket))


async def begin(ports: Ports, session: AsyncSession, subject: Subject, application_id: str | None) -> Begun:
    """Start an activation that waits for a passkey, in the caller's transaction.

    :param application_id: that the request names, if it does; it decides nothing
    :raises InvalidRequest: it names another application
    :raises FeatureDisabled: the application has no passkeys in browsers
    """
    if application_id not in (None, subject.application_id):
        raise InvalidRequest("requestObject.applicationId - must be that of the proof")
    known = await policy_within(ports, session, subject.application_id)
    user_id, name = subject.user_id, subject.application_id
    challenge = await registration.challenge_within(ports, session, user_id=user_id, application_id=name)
    handle = await records.user_handle(session, known.application_rid, user_id)
    begun = SessionId.new()
    session.add(
        PasskeySession(
            hash=begun.hash,
            purpose=Purpose.REGISTRATION.value,
            application_id=known.application_rid,
            activation_id=challenge.activation_id,
            user_id=user_id,
            ticket=subject.ticket,
            expires_at=clock.now() + LIFE,
        )
    )
    await session.flush()
    return Begun(begun, known.policy, challenge, handle)


async def complete(ports: Ports, answered: Answered) -> Passkey:
    """Register the passkey; whatever comes of it, the session is over.

    :raises PasskeySessionInvalid: not begun, over, or answered before
    :raises TicketInvalid: the ticket was used for another passkey meanwhile
    :raises InvalidRequest: what came can not be read
    :raises PasskeyFailed: the ceremony did not hold
    :raises PasskeyDenied: the policy refuses it
    """
    asked = await _asked(ports, answered)
    try:
        return await registration.register(ports, asked)
    except Malformed:
        raise InvalidRequest() from None
    except PolicyRefused as refused:
        raise PasskeyDenied(refused.code) from None
    except PasskeyRefused:
        raise PasskeyFailed() from None


async def _asked(ports: Ports, answered: Answered) -> Registration:
    """The registration that the session is for; both it and its ticket are spent with this."""
    async with ports.database.transaction() as session:
        taken = await repository.consume(
            session, SessionId(answered.session_id), Purpose.REGISTRATION, clock.now()
        )
        if taken is None or taken.user_id is None:
            raise PasskeySessionInvalid()
        application = await ports.application_cache.by_rid(session, taken.application_id)
        if application is None:
            raise PasskeySessionInvalid()
        if taken.ticket is not None:
            await tickets.redeem_hashed(ports, session, taken.ticket)
        known = await policy_within(ports, session, application.application_id)
        handle = await records.user_handle(session, taken.application_id, taken.user_id)
    return Registration(
        application_id=application.application_id,
        party=RelyingParty.of(known.policy),
        answer=answered.answer,
        name=answered.name,
        attachment=answered.attachment,
        transports=answered.transports,
        activation_id=taken.activation_id,
        user_handle=handle,
    )
