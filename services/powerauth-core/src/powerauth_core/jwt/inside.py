"""Signed tokens for callers inside the network, who vouch for clients and users (device-trust §2.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.jwt import grants, introspection, repository, revocation, tokens
from powerauth_core.jwt.models import JwtSession
from powerauth_core.jwt.ports import Ports
from powerauth_core.jwt.tokens import Issued, Issuer, SignIn
from powerauth_core.kernel.errors import InvalidApplication
from powerauth_core.kernel.token_errors import GrantRefused

ApplicationIds = Sequence[str] | None
"""Public ids of the applications a caller may see; None = all (D21)."""


def check_scope(application_id: str | None, scope: ApplicationIds) -> None:
    """See that a caller may touch an application; None: what belongs to none.

    :raises InvalidApplication: it may not
    """
    if scope is not None and application_id not in scope:
        raise InvalidApplication


async def issue(ports: Ports, wanted: SignIn, scope: ApplicationIds) -> Issued:
    """``jwt/issue``.

    :raises GrantRefused: the client may not have what is asked for, or no client signs in
    :raises InvalidApplication: unknown application, or out of scope
    """
    check_scope(wanted.application_id, scope)
    async with ports.database.transaction() as session:
        issued = await tokens.sign_in(ports, session, wanted)
        if issued is None:
            raise GrantRefused("unauthorized_client", "no client of the application signs in")
    return issued


async def refresh(ports: Ports, client_id: str, form: Mapping[str, str], scope: ApplicationIds) -> Issued:
    """``jwt/refresh``.

    :param form: ``refresh_token``, ``scope``, ``resource``
    :raises GrantRefused: as the grant
    """
    async with ports.database.transaction() as session:
        client = await repository.client(session, client_id)
        application = (
            None if client is None else await ports.application_cache.by_rid(session, client.application_id)
        )
        if client is None or application is None or not client.sound:
            raise GrantRefused("invalid_client", "unknown client")
        if scope is not None and application.application_id not in scope:
            raise GrantRefused("invalid_client", "unknown client")
        issuer = await Issuer.of(ports, session, application, client)
        return await grants.refresh(ports, session, issuer, form)


async def introspect(ports: Ports, token: str, scope: ApplicationIds) -> Mapping[str, Any] | None:
    """``jwt/introspect``: the claims of an access token that is in force; None: it is not."""
    async with ports.database.read() as session:
        found = await introspection.verified_access(ports, session, token)
    if found is None or (scope is not None and found.application.application_id not in scope):
        return None
    return found.claims


async def revoke_token(ports: Ports, token: str, scope: ApplicationIds) -> bool:
    """``jwt/revoke`` of an access token or a refresh token; whether it was in force."""
    async with ports.database.transaction() as session:
        row = await introspection.session_of(ports, session, token, lock=True)
        if row is not None:
            return await _end(ports, session, row, scope)
        found = await introspection.verified_access(ports, session, token)
        if found is None or (scope is not None and found.application.application_id not in scope):
            return False
        await introspection.revoke_signed(session, found)
    return True


async def revoke_session(ports: Ports, session_id: str, scope: ApplicationIds) -> bool:
    """``jwt/revoke`` of a sign-in; whether it was in force."""
    async with ports.database.transaction() as session:
        row = await repository.session_of(session, session_id, lock=True)
        if row is None or not row.sound or row.revoked:
            return False
        return await _end(ports, session, row, scope)


async def revoke_user(ports: Ports, user_id: str, application_id: str | None, scope: ApplicationIds) -> bool:
    """``jwt/revoke`` of a user, in one application or in all that the caller may touch.

    :raises InvalidApplication: unknown application, or out of scope
    """
    names = scope if application_id is None and scope is not None else [application_id]
    async with ports.database.transaction() as session:
        for name in names:
            if name is None:
                await revocation.refuse_user(session, user_id)
                continue
            check_scope(name, scope)
            application = await ports.application_cache.by_id(session, name)
            if application is None:
                raise InvalidApplication
            await revocation.refuse_user(session, user_id, application.application_rid)
    return bool(names)


async def _end(ports: Ports, session: AsyncSession, row: JwtSession, scope: ApplicationIds) -> bool:
    application = await ports.application_cache.by_rid(session, row.application_id)
    if application is None or (scope is not None and application.application_id not in scope):
        return False
    await revocation.end_session(session, row, "token.session.revoked")
    return True
