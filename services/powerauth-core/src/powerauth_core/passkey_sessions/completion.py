"""What a browser signed (spec/device-trust.md §4.9): it approves the session's operation, once."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts import moments
from powerauth_contracts.enums import OperationStatus
from powerauth_core.attempts import service as attempts
from powerauth_core.attempts.rules import Tier, Tiers
from powerauth_core.attempts.service import Tried
from powerauth_core.fido2 import assertion
from powerauth_core.fido2.assertion import Approved
from powerauth_core.fido2.relying_party import RelyingParty
from powerauth_core.fido2.sign_in import SignIn
from powerauth_core.jwt import rules as jwt_rules
from powerauth_core.jwt import tokens
from powerauth_core.jwt.tokens import Authentication, Issued
from powerauth_core.kernel.errors import InvalidRequest
from powerauth_core.kernel.passkey_errors import (
    PasskeyDenied,
    PasskeyFailed,
    PasskeyLocked,
    PasskeySessionInvalid,
)
from powerauth_core.passkey_sessions import repository
from powerauth_core.passkey_sessions.policies import BrowserPolicy, policy_of
from powerauth_core.passkey_sessions.ports import Ports
from powerauth_core.passkey_sessions.rules import Purpose, SessionId
from powerauth_core.passkeys.authenticator_data import Flags
from powerauth_core.passkeys.ceremony import AssertionAnswer
from powerauth_core.passkeys.policy import Policy
from powerauth_core.passkeys.refusals import (
    CeremonyFailed,
    CeremonyReason,
    Malformed,
    PasskeyRefused,
    PolicyRefused,
)
from powerauth_protocol.common.encoding import b64decode, b64encode, b64url_encode
from servicekit import clock


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    :ivar is_sign_in: the operation was made for this ceremony alone
    :ivar issued: tokens of a sign-in, where the application has a client for them
    """

    is_sign_in: bool
    operation_id: str
    operation_status: OperationStatus
    issued: Issued | None = None


@dataclass(slots=True)
class _Session:
    """A session that is taken.

    :ivar allowed: credential ids that were offered; None: the authenticator chose
    :ivar wanted: what the tokens are asked to be
    """

    application_id: str
    operation_id: str
    allowed: list[str] | None
    is_sign_in: bool
    wanted: dict[str, Any]
    issued: Issued | None = field(default=None)


async def complete(ports: Ports, session_id: str, answer: AssertionAnswer, address: str | None) -> Outcome:
    """Approve the session's operation; whatever comes of it, the session is over.

    :param address: of the client, as text
    :raises PasskeySessionInvalid: not begun, over, or answered before
    :raises PasskeyLocked: too many failures of this passkey
    :raises InvalidRequest: what came can not be read
    :raises PasskeyFailed: it proves nothing, whatever the reason
    :raises PasskeyDenied: the policy refuses the passkey
    """
    taken = await _take(ports, SessionId(session_id))
    known = await policy_of(ports, taken.application_id)
    named = f"{known.application_rid}\0{b64encode(answer.credential_id)}"
    tried = Tried.of("passkey", named, address)
    locked_until = await attempts.locked_until(ports.database, tried)
    if locked_until is not None:
        raise PasskeyLocked(moments.to_ms(locked_until))
    try:
        approved = await _approve(ports, taken, known, answer)
    except Malformed:
        raise InvalidRequest() from None
    except PolicyRefused as refused:
        raise PasskeyDenied(refused.code) from None
    except PasskeyRefused:
        await attempts.count_failure(ports.database, tried, tiers_of(known.policy))
        raise PasskeyFailed() from None
    await attempts.succeeded(ports.database, tried)
    return Outcome(taken.is_sign_in, taken.operation_id, approved.operation.row.status, taken.issued)


def tiers_of(policy: Policy) -> Tiers:
    """How the policy locks out."""
    steps = [Tier(one.attempts, timedelta(minutes=one.duration)) for one in policy.lockout_tiers]
    return Tiers(steps, timedelta(minutes=policy.failures_expire_in))


async def _take(ports: Ports, given: SessionId) -> _Session:
    """Spend a session.

    :raises PasskeySessionInvalid: there is nothing to spend
    """
    async with ports.database.transaction() as session:
        row = await repository.consume(session, given, Purpose.ASSERTION, clock.now())
        if row is None or row.operation_id is None or row.context is None:
            raise PasskeySessionInvalid()
        application = await ports.application_cache.by_rid(session, row.application_id)
        if application is None:
            raise PasskeySessionInvalid()
        is_sign_in, wanted = row.context["isSignIn"], row.context["tokens"]
        return _Session(application.application_id, row.operation_id, row.allowed, is_sign_in, wanted)


async def _approve(ports: Ports, taken: _Session, known: BrowserPolicy, answer: AssertionAnswer) -> Approved:
    """:raises PasskeyRefused: it is not approved"""
    operation_id, data = assertion.parts_of(answer.client_data_json)
    if operation_id != taken.operation_id:
        raise CeremonyFailed(CeremonyReason.CHALLENGE)
    if not _is_offered(taken.allowed, answer):
        raise CeremonyFailed(CeremonyReason.NOT_ALLOWED)

    async def accepted(session: AsyncSession, approved: Approved) -> None:
        if taken.allowed is None and not approved.passkey.is_of(answer.user_handle or b""):
            raise CeremonyFailed(CeremonyReason.USER_HANDLE)
        if taken.is_sign_in:
            taken.issued = await _issued(ports, session, taken, approved)

    asked = SignIn(
        party=RelyingParty.of(known.policy),
        answer=answer,
        operation_id=operation_id,
        data=data,
        counts_failures=False,
    )
    return await assertion.verify(ports, asked, application_id=taken.application_id, accepted=accepted)


def _is_offered(allowed: list[str] | None, answer: AssertionAnswer) -> bool:
    if allowed is None:
        return True
    ids = answer.credential_id, answer.credential_id[: assertion.SHORT_ID]
    return any(b64encode(one) in allowed for one in ids)


async def _issued(ports: Ports, session: AsyncSession, taken: _Session, approved: Approved) -> Issued | None:
    passkey = approved.passkey
    wanted = tokens.SignIn(
        application_id=taken.application_id,
        user_id=passkey.user_id,
        authentication=authentication(approved),
        **taken.wanted,
    )
    return await tokens.sign_in(ports, session, wanted)


def authentication(approved: Approved) -> Authentication:
    """What a sign-in with a passkey proves (spec/device-trust.md §2.3, §2.4)."""
    passkey, flags, now = approved.passkey, approved.flags, clock.now()
    synced = bool(flags & Flags.BE)
    amr, acr = jwt_rules.passkey_references(verified=bool(flags & Flags.UV), synced=synced)
    registered = passkey.registered_at.astimezone(UTC).replace(tzinfo=None)
    handle = passkey.extras.user_handle
    return Authentication(
        amr=amr,
        acr=acr,
        auth_time=now,
        activation_id=passkey.activation_id,
        webauthn={
            "credentialId": b64url_encode(b64decode(passkey.credential_id)),
            "aaguid": str(passkey.extras.aaguid),
            "uv": bool(flags & Flags.UV),
            "be": synced,
            "bs": bool(flags & Flags.BS),
            "activationId": passkey.activation_id,
            "firstUsed": jwt_rules.seconds_of(registered),
            "lastUsed": jwt_rules.seconds_of(now),
        },
        webauthn_username=None if handle is None else str(uuid.UUID(bytes=b64decode(handle))),
    )
