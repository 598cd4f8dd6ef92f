"""What is told of a token, and taking one back (spec/device-trust.md §2.5; RFC 7662, RFC 7009)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.jwt import refresh_tokens, repository, revocation, rules, verification
from powerauth_core.jwt.client_authentication import Client
from powerauth_core.jwt.models import JwtSession
from powerauth_core.jwt.ports import Ports
from powerauth_core.jwt.refresh_tokens import Use
from powerauth_core.jwt.rules import TokenKind, TokenRefused
from powerauth_core.jwt.verification import Verified
from servicekit import clock

INACTIVE: Mapping[str, Any] = {"active": False}
_TOLD = ("sub", "client_id", "scope", "exp", "iat", "iss", "aud", "jti", "auth_time", "amr", "acr")
_TOLD_TOO = ("device_key_id", "sid")


@dataclass(frozen=True, slots=True)
class Found:
    """A token of ours: a signed one, or the session of a refresh token."""

    verified: Verified | None = None
    row: JwtSession | None = None


async def introspect(ports: Ports, client: Client, token: str) -> Mapping[str, Any]:
    """What is told of a token to a client that it was issued to, or that is an audience of it."""
    async with ports.database.read() as session:
        found = await _find(ports, session, token)
        if found is None or not _concerns(client, found):
            return INACTIVE
        if found.verified is not None:
            return signed_facts(found.verified)
        assert found.row is not None
        return (
            _refresh_facts(found.row) if await verification.goes_on(ports, session, found.row) else INACTIVE
        )


async def revoke(ports: Ports, client: Client, token: str) -> None:
    """Take a token of the client's back; a refresh token takes its session along. Others stay as they are."""
    async with ports.database.transaction() as session:
        found = await _find(ports, session, token, lock=True)
        if found is None or not _issued_to(client, found):
            return
        if found.row is not None:
            await revocation.end_session(session, found.row, "token.session.revoked")
        elif found.verified is not None:
            await revoke_signed(session, found.verified)


async def revoke_signed(session: AsyncSession, verified: Verified) -> None:
    """Do not accept a signed token any more."""
    claims = verified.claims
    # It is accepted a little longer than it says.
    until = rules.moment_of(claims["exp"] + 2 * rules.LEEWAY)
    await repository.revoke_token(session, claims["jti"], until)
    params = {"applicationId": verified.application.application_id, "jti": claims["jti"]}
    await audit.record(session, AuditType.JWT, "token.revoked", params, claims["sub"])


async def verified_access(ports: Ports, session: AsyncSession, token: str) -> Verified | None:
    """An access token that is in force, whomever it is for; None: it is not."""
    try:
        return await verification.verify(ports, session, TokenKind.ACCESS, token, None)
    except TokenRefused:
        return None


async def session_of(
    ports: Ports, session: AsyncSession, token: str, *, lock: bool = False
) -> JwtSession | None:
    """The session whose valid refresh token this is.

    :param lock: until the end of the transaction
    """
    presented = refresh_tokens.read(token)
    if presented is None:
        return None
    row = await repository.session_of(session, presented.session_id, lock=lock)
    if row is None or not row.sound or row.revoked or row.timestamp_expires <= clock.now():
        return None
    use = refresh_tokens.judge(ports.cipher, row, presented, clock.now())
    return row if use is Use.FRESH else None


def signed_facts(verified: Verified) -> dict[str, Any]:
    """What is told of an access token."""
    claims = verified.claims
    told = {name: claims[name] for name in (*_TOLD, *_TOLD_TOO) if name in claims}
    return {"active": True, "token_type": "Bearer", "username": claims["sub"], **told}


def _refresh_facts(row: JwtSession) -> dict[str, Any]:
    return {
        "active": True,
        "token_type": "refresh_token",
        "sub": row.user_id,
        "username": row.username or row.user_id,
        "client_id": row.client_id,
        "scope": row.scope,
        "iat": rules.seconds_of(row.timestamp_refreshed),
        "exp": rules.seconds_of(row.timestamp_expires),
        "sid": row.session_id,
    }


async def _find(ports: Ports, session: AsyncSession, token: str, *, lock: bool = False) -> Found | None:
    row = await session_of(ports, session, token, lock=lock)
    if row is not None:
        return Found(row=row)
    verified = await verified_access(ports, session, token)
    return None if verified is None else Found(verified)


def _issued_to(client: Client, found: Found) -> bool:
    name = client.row.client_id
    if found.row is not None:
        return found.row.client_id == name
    return found.verified is not None and found.verified.claims.get("client_id") == name


def _concerns(client: Client, found: Found) -> bool:
    if _issued_to(client, found):
        return True
    if found.verified is None:
        return False
    audiences = {client.row.client_id, *rules.words(client.row.resources)}
    same = found.verified.application.application_id == client.application.application_id
    return same and not audiences.isdisjoint(rules.audiences(found.verified.claims))
