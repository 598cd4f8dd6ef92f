"""Sign-in and approval in the browser, begun by anybody (spec/device-trust.md §4.9).

Nothing tells whether a user exists: what is answered, and what is done for it, is the same. The operation of
a sign-in is nobody's, so that a stranger can ring no user.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from powerauth_contracts.enums import ActivationStatus, OperationStatus
from powerauth_core.fido2.assertion import Challenge
from powerauth_core.jwt.tokens import Authentication, check_sign_in
from powerauth_core.jwt.tokens import SignIn as TokenRequest
from powerauth_core.jwt.verification import bearer
from powerauth_core.kernel.errors import InvalidRequest, OperationNotFound
from powerauth_core.operations import creation
from powerauth_core.operations import reads as operations
from powerauth_core.operations.creation import NewOperation
from powerauth_core.operations.stored import StoredOperation
from powerauth_core.passkey_records import reads
from powerauth_core.passkey_sessions import rules, template
from powerauth_core.passkey_sessions.models import PasskeySession
from powerauth_core.passkey_sessions.policies import BrowserPolicy, policy_of
from powerauth_core.passkey_sessions.ports import Ports
from powerauth_core.passkey_sessions.rules import Offered, Purpose, SessionId
from powerauth_core.passkeys.policy import Policy
from servicekit import clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a browser asks for.

    :ivar user_id: a hint, which proves nothing
    :ivar token: access token of whoever is signed in already
    :ivar operation_id: to approve; None: to sign in
    :ivar context: what the tokens are asked to be, by the names of `jwt.tokens.SignIn`
    """

    application_id: str
    user_id: str | None = None
    token: str | None = field(default=None, repr=False)
    operation_id: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    life: timedelta = rules.LIFE


@dataclass(frozen=True, slots=True)
class Begun:
    """What the browser is told.

    :ivar challenge: text whose UTF-8 is the challenge
    :ivar offered: empty: the authenticator chooses
    """

    id: SessionId = field(repr=False)
    policy: Policy
    challenge: str = field(repr=False)
    offered: Sequence[Offered]
    life: timedelta


async def begin(ports: Ports, wanted: Wanted) -> Begun:
    """Start a sign-in, or the approval of an operation.

    :raises InvalidApplication: there is no such application
    :raises FeatureDisabled: it has no passkeys in browsers
    :raises AccessTokenInvalid: the token is not accepted
    :raises OperationNotFound: no operation that the token's user could approve now
    :raises GrantRefused: the tokens could not be issued as they are asked for
    """
    known = await policy_of(ports, wanted.application_id)
    proven = await _proven(ports, wanted)
    user_id = proven or wanted.user_id
    offered = await _offered(ports, wanted.application_id, user_id, is_proven=proven is not None)
    if wanted.operation_id is None:
        operation = await _new_operation(ports, wanted)
    else:
        operation = await _pending(ports, wanted, wanted.operation_id, proven)
    begun = SessionId.new()
    async with ports.database.transaction() as session:
        session.add(_session(begun, known, wanted, operation, user_id, offered))
    return Begun(begun, known.policy, Challenge(operation, ()).text, offered or (), wanted.life)


def _session(
    begun: SessionId,
    known: BrowserPolicy,
    wanted: Wanted,
    operation: StoredOperation,
    user_id: str | None,
    offered: Sequence[Offered] | None,
) -> PasskeySession:
    return PasskeySession(
        hash=begun.hash,
        purpose=Purpose.ASSERTION.value,
        application_id=known.application_rid,
        operation_id=operation.row.id,
        user_id=user_id,
        allowed=None if offered is None else [one.id for one in offered],
        context={"isSignIn": wanted.operation_id is None, "tokens": dict(wanted.context)},
        expires_at=clock.now() + wanted.life,
    )


async def _proven(ports: Ports, wanted: Wanted) -> str | None:
    """Who is signed in already.

    :raises AccessTokenInvalid: nobody, for all the token says
    """
    async with ports.database.read() as session:
        if wanted.operation_id is None:
            request = TokenRequest(
                application_id=wanted.application_id,
                user_id=wanted.user_id or "",
                authentication=Authentication(amr=(), acr=None, auth_time=clock.now()),
                **wanted.context,
            )
            await check_sign_in(ports, session, request)
        if wanted.token is None:
            return None
        found = await bearer(ports, session, wanted.token, None)
    if found.application_id != wanted.application_id or wanted.user_id not in (None, found.user_id):
        raise InvalidRequest("requestObject - must be of the token's user and application")
    return found.user_id


async def _offered(
    ports: Ports, application_id: str, user_id: str | None, *, is_proven: bool
) -> list[Offered] | None:
    """What the browser may sign with; of users who have none, or do not exist, what nobody has."""
    if user_id is None:
        return None
    # Asked for in any case, so that it tells nothing who needs it.
    application = await ports.application_cache.identity(ports.database, application_id)
    assert application is not None
    secret = application.master_key().private.private_numbers().private_value.to_bytes(32, "big")
    decoys = rules.decoys(secret, application_id, user_id)
    known = await reads.of_user(ports.database.fetch, ports.row_macs, user_id, [application_id])
    usable = [
        Offered(one.credential_id, one.extras.transports or ())
        for one in known
        if one.status is ActivationStatus.ACTIVE
    ]
    return usable if usable or is_proven else decoys


async def _new_operation(ports: Ports, wanted: Wanted) -> StoredOperation:
    await template.ensure(ports)
    new = NewOperation(
        template_name=rules.SIGN_IN_TEMPLATE,
        applications=(wanted.application_id,),
        user_id=None,
        external_id=None,
        activation_flag=None,
        parameters={},
        additional_data=None,
        expires=clock.now() + wanted.life,
        with_proximity=False,
        activation_id=None,
    )
    return await creation.create(ports, new, None)


async def _pending(ports: Ports, wanted: Wanted, operation_id: str, user_id: str | None) -> StoredOperation:
    """The operation, if the user may see it: its data stands in the challenge.

    :raises OperationNotFound: he may not, or it does not wait
    """
    found = await operations.find(ports.database.fetch, operation_id)
    if found is None or user_id is None or found.row.user_id != user_id:
        raise OperationNotFound()
    if wanted.application_id not in found.applications:
        raise OperationNotFound()
    if found.status_at(clock.now()) is not OperationStatus.PENDING:
        raise OperationNotFound()
    return found
