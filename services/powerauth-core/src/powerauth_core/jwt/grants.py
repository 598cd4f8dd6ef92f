"""What the token endpoint does for each grant (spec/device-trust.md §2.5)."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import OidcGrant, OperationStatus
from powerauth_core.jwt import refresh_tokens, repository, revocation, rules, tokens, verification
from powerauth_core.jwt.client_authentication import authenticated, shown_client
from powerauth_core.jwt.models import JwtSession
from powerauth_core.jwt.ports import Ports
from powerauth_core.jwt.refresh_tokens import RefreshToken, Use
from powerauth_core.jwt.tokens import Authentication, Issued, Issuer, SignIn
from powerauth_core.kernel.enums import UniqueValueType
from powerauth_core.kernel.token_errors import GrantRefused
from powerauth_core.operations import reads as operations
from powerauth_core.operations.stored import StoredOperation
from powerauth_core.replay import service as replay
from powerauth_core.replay.rules import Once
from servicekit import clock
from servicekit.database import fetch_within

Form = Mapping[str, str]
EXCHANGED_WITHIN = timedelta(seconds=60)
"""How long after its approval an operation may be exchanged."""
_REMEMBERED = timedelta(hours=1)
"""How long an exchange is remembered: as long as the operation could be exchanged, and much longer."""


async def token(ports: Ports, authorization: str | None, form: Form) -> Issued:
    """The token endpoint.

    :param authorization: value of the header
    :raises GrantRefused: nothing is issued
    """
    kind = _member(form, "grant_type")
    if kind not in _GRANTS:
        raise GrantRefused("unsupported_grant_type", "grant_type is not supported")
    client = await authenticated(ports, shown_client(authorization, form))
    if not ports.settings.jwt_issuer or kind not in rules.words(client.row.grant_types):
        raise GrantRefused("unauthorized_client", "the client may not use this grant")
    async with ports.database.transaction() as session:
        issuer = await Issuer.of(ports, session, client.application, client.row)
        return await _GRANTS[OidcGrant(kind)](ports, session, issuer, form)


async def refresh(ports: Ports, session: AsyncSession, issuer: Issuer, form: Form) -> Issued:
    """OidcGrant ``refresh_token``: the tokens of a session again, and its next refresh token.

    :raises GrantRefused: the token is none of the client's, is over or was used before; the latter ends the
        session
    """
    presented = refresh_tokens.read(_member(form, "refresh_token"))
    row = None if presented is None else await _session(session, issuer, presented)
    if presented is None or row is None:
        raise _invalid("the refresh token is not valid")
    now = clock.now()
    use = refresh_tokens.judge(ports.cipher, row, presented, now)
    if use is Use.FORGED or row.revoked:
        raise _invalid("the refresh token is not valid")
    if use is Use.REUSED:
        await revocation.end_session(session, row, "token.refresh.reuse", alarming=True)
        raise _invalid("the refresh token was used before", keep_changes=True)
    idle = timedelta(seconds=ports.settings.jwt_refresh_idle_seconds)
    if now - row.timestamp_refreshed > idle or not await verification.goes_on(ports, session, row):
        raise _invalid("the session has ended")
    scope = rules.granted_scope(rules.words(row.scope), rules.words(form.get("scope", row.scope)))
    if scope is None:
        raise GrantRefused("invalid_scope", "scope is not part of what was granted")
    resource = tokens.resource_of(issuer.client, form.get("resource", row.resource))
    if use is Use.FRESH:
        row.refresh_number, row.timestamp_refreshed = row.refresh_number + 1, now
        await session.flush()
    return await tokens.issue(session, issuer, row, scope, resource, {"new_user": False})


async def _session(session: AsyncSession, issuer: Issuer, presented: RefreshToken) -> JwtSession | None:
    row = await repository.session_of(session, presented.session_id, lock=True)
    if row is None or not row.sound or row.timestamp_expires <= clock.now():
        return None
    return row if row.client_id == issuer.client.client_id else None


async def _client_credentials(_ports: Ports, session: AsyncSession, issuer: Issuer, form: Form) -> Issued:
    """OidcGrant ``client_credentials``: a token of the client's own."""
    asked = rules.words(form.get("scope", ""))
    scope = tokens.scope_of(issuer.client, asked)
    if {rules.OPENID, rules.OFFLINE_ACCESS} & set(scope):
        raise GrantRefused("invalid_scope", "scope is of users alone")
    resource = tokens.resource_of(issuer.client, form.get("resource"))
    return await tokens.of_client(session, issuer, scope, resource)


async def _exchange_operation(ports: Ports, session: AsyncSession, issuer: Issuer, form: Form) -> Issued:
    """OidcGrant ``urn:pa:grant-type:operation``: tokens of the user who approved an operation, once."""
    operation_id = _member(form, "operation_id")
    fetch = partial(fetch_within, session)
    operation = await operations.find(fetch, operation_id, [issuer.application.application_id])
    if operation is None or not await _is_exchangeable(ports, session, operation, form.get("activation_id")):
        raise _invalid("the operation cannot be exchanged")
    wanted = _sign_in(issuer, operation, form)
    name = hashlib.sha256(f"operation\0{operation_id}".encode()).hexdigest()
    once = Once(name, UniqueValueType.OPERATION_EXCHANGE, clock.now() + _REMEMBERED)
    if not await replay.store(session, once):
        raise _invalid("the operation cannot be exchanged")
    return await tokens.open_session(session, issuer, wanted)


async def _is_exchangeable(
    ports: Ports, session: AsyncSession, operation: StoredOperation, activation_id: str | None
) -> bool:
    row = operation.row
    if row.status is not OperationStatus.APPROVED or row.timestamp_finalized is None or not row.user_id:
        return False
    if clock.now() - row.timestamp_finalized > EXCHANGED_WITHIN:
        return False
    if activation_id not in (None, _approved_by(operation)):
        return False
    name = row.template_name
    template = None if name is None else await ports.template_cache.by_name(session, name)
    return template is not None and template.issue_tokens


def _sign_in(issuer: Issuer, operation: StoredOperation, form: Form) -> SignIn:
    row, additional = operation.row, operation.row.additional_data or {}
    factor = additional.get("authFactor")
    amr, acr = rules.SIGNED_WITH.get(factor if isinstance(factor, str) else "", ((), None))
    assert row.user_id is not None
    assert row.timestamp_finalized is not None
    username = additional.get("username")
    return SignIn(
        application_id=issuer.application.application_id,
        user_id=row.user_id,
        username=username if isinstance(username, str) else None,
        authentication=Authentication(
            amr=amr,
            acr=acr,
            auth_time=row.timestamp_finalized,
            activation_id=_approved_by(operation),
            approval_data={"operationId": row.id, "data": row.data},
        ),
        nonce=form.get("nonce"),
        scope=form.get("scope"),
        resource=form.get("resource"),
    )


def _approved_by(operation: StoredOperation) -> str | None:
    found = (operation.row.additional_data or {}).get("activationId")
    return found if isinstance(found, str) else None


def _member(form: Form, name: str) -> str:
    found = form.get(name)
    if not found:
        raise GrantRefused("invalid_request", f"{name} is missing")
    return found


def _invalid(why: str, *, keep_changes: bool = False) -> GrantRefused:
    return GrantRefused("invalid_grant", why, keep_changes=keep_changes)


Perform = Callable[[Ports, AsyncSession, Issuer, Form], Awaitable[Issued]]
_GRANTS: Mapping[OidcGrant, Perform] = {
    OidcGrant.REFRESH: refresh,
    OidcGrant.CLIENT_CREDENTIALS: _client_credentials,
    OidcGrant.OPERATION: _exchange_operation,
}
