"""Queries for keys, clients and sessions of signed tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Table, delete, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import SigningKeyStatus
from powerauth_core.jwt.models import JwtKey, JwtNotBefore, JwtSession, JwtUser, OidcClient, RevokedJwt
from powerauth_core.jwt.rules import SubjectType
from servicekit.database import Database, for_update, insert_ignore
from servicekit.row_macs import judged

_USERS = cast(Table, JwtUser.__table__)
_REVOKED = cast(Table, RevokedJwt.__table__)
EVERY_APPLICATION = 0
Bounds = Sequence[tuple[SubjectType, int, str]]
"""Subjects of a token: type, row id of the application or 0, id."""


async def keys_of(session: AsyncSession, application_rid: int | None, *, lock: bool = False) -> list[JwtKey]:
    """The keys of a scope, the newest last.

    :param lock: until the end of the transaction
    """
    statement = select(JwtKey).where(_in_scope(application_rid)).order_by(JwtKey.timestamp_created, JwtKey.id)
    if lock:
        await session.execute(for_update(statement, Database.of(session).dialect))
        # What another one who held the locks has added is seen by a statement that begins afterwards.
        statement = statement.execution_options(populate_existing=True)
    return list(await session.scalars(statement))


async def lock_key(session: AsyncSession, application_rid: int | None, key_id: str) -> JwtKey | None:
    """A key of a scope, all of whose keys are locked until the end of the transaction."""
    keys = await keys_of(session, application_rid, lock=True)
    return judged(next((key for key in keys if key.id == key_id), None))


async def has_kid(session: AsyncSession, kid: str) -> bool:
    """Whether a key with this thumbprint is there, in whatever scope."""
    return bool(await session.scalar(select(exists().where(JwtKey.kid == kid))))


async def scopes(session: AsyncSession) -> list[int | None]:
    """Row ids of the applications that have keys, None for the keys of all others."""
    return list(await session.scalars(select(JwtKey.application_id).distinct()))


def _in_scope(application_rid: int | None) -> Any:
    return (
        JwtKey.application_id.is_(None)
        if application_rid is None
        else JwtKey.application_id == application_rid
    )


async def client(session: AsyncSession, client_id: str) -> OidcClient | None:
    """The client with this id.

    :raises RowKeyUnknown: nobody here can tell whether the core has written it
    """
    return judged(await session.get(OidcClient, client_id))


async def lock_client(session: AsyncSession, client_id: str) -> OidcClient | None:
    """The same, locked until the end of the transaction."""
    statement = for_update(
        select(OidcClient).where(OidcClient.client_id == client_id), Database.of(session).dialect
    )
    return judged(await session.scalar(statement))


async def clients_of(session: AsyncSession, application_rid: int) -> list[OidcClient]:
    """The clients of an application, by id."""
    statement = (
        select(OidcClient).where(OidcClient.application_id == application_rid).order_by(OidcClient.client_id)
    )
    return list(await session.scalars(statement))


async def every_resource(session: AsyncSession) -> set[str]:
    """Audiences that any client may ask for."""
    return {name for text in await session.scalars(select(OidcClient.resources)) for name in text.split()}


async def are_clients(session: AsyncSession, names: Sequence[str]) -> bool:
    """Whether one of the names is a client's."""
    return bool(await session.scalar(select(exists().where(OidcClient.client_id.in_(names)))))


async def longest_life(session: AsyncSession) -> int:
    """The longest life that a client's tokens have by its own setting, in seconds."""
    found = await session.execute(select(func.max(OidcClient.access_ttl), func.max(OidcClient.id_ttl)))
    return max((each or 0) for each in found.one())


async def longest_refresh(session: AsyncSession) -> int:
    """The longest time that a client's sessions are refreshed by its own setting, in seconds."""
    return await session.scalar(select(func.max(OidcClient.refresh_ttl))) or 0


async def session_of(session: AsyncSession, session_id: str, *, lock: bool = False) -> JwtSession | None:
    """A sign-in.

    :param lock: until the end of the transaction
    :raises RowKeyUnknown: nobody here can tell whether the core has written it
    """
    statement = select(JwtSession).where(JwtSession.session_id == session_id)
    if lock:
        statement = for_update(statement, Database.of(session).dialect)
    return judged(await session.scalar(statement))


async def live_sessions(
    session: AsyncSession, now: datetime, *, activation_id: str | None = None, client_id: str | None = None
) -> list[JwtSession]:
    """Sign-ins that are not over, of an activation or a client; locked until the end of the transaction."""
    statement = select(JwtSession).where(JwtSession.revoked == 0, JwtSession.timestamp_expires > now)
    if activation_id is not None:
        statement = statement.where(JwtSession.activation_id == activation_id)
    if client_id is not None:
        statement = statement.where(JwtSession.client_id == client_id)
    statement = statement.order_by(JwtSession.session_id)
    return list(await session.scalars(for_update(statement, Database.of(session).dialect)))


async def first_sign_in(session: AsyncSession, application_rid: int, user_id: str, now: datetime) -> bool:
    """Remember that a user signed in to an application; whether it was for the first time."""
    row = {"application_id": application_rid, "user_id": user_id, "timestamp_created": now}
    return await insert_ignore(session, _USERS, row) == 1


async def revoke_token(session: AsyncSession, jti: str, exp: datetime) -> None:
    """Remember that a token is not accepted."""
    await insert_ignore(session, _REVOKED, {"jti": jti, "exp": exp})


async def is_revoked(session: AsyncSession, jti: str) -> bool:
    """Whether a token is not accepted."""
    return await session.get(RevokedJwt, jti) is not None


async def set_not_before(
    session: AsyncSession, kind: SubjectType, application_rid: int, subject: str, ts: datetime
) -> None:
    """Accept nothing of a subject that was issued before a moment; a later moment that is there stays."""
    found = await session.get(JwtNotBefore, (kind.value, application_rid, subject))
    if found is None:
        row = {"subject_type": kind.value, "application_id": application_rid, "subject": subject, "ts": ts}
        if await insert_ignore(session, cast(Table, JwtNotBefore.__table__), row):
            return
        found = await session.get(
            JwtNotBefore, (kind.value, application_rid, subject), populate_existing=True
        )
    if found is not None and found.ts < ts:
        found.ts = ts
        await session.flush()


async def not_before(session: AsyncSession, bounds: Bounds) -> datetime | None:
    """The latest moment before which nothing of these subjects is accepted."""
    found: datetime | None = await session.scalar(
        select(func.max(JwtNotBefore.ts)).where(
            or_(
                *[
                    (JwtNotBefore.subject_type == kind.value)
                    & (JwtNotBefore.application_id == application_rid)
                    & (JwtNotBefore.subject == subject)
                    for kind, application_rid, subject in bounds
                ]
            )
        )
    )
    return found


async def delete_expired(session: AsyncSession, now: datetime) -> int:
    """Delete what is over: sessions, and tokens that were revoked; the number of rows."""
    deleted = 0
    for statement in (
        delete(RevokedJwt).where(RevokedJwt.exp < now),
        delete(JwtSession).where(JwtSession.timestamp_expires < now),
    ):
        result = await session.execute(statement)
        deleted += cast("CursorResult[Any]", result).rowcount
    return deleted


async def delete_not_before(session: AsyncSession, before: datetime) -> None:
    """Delete moments before which everything is over by itself."""
    await session.execute(delete(JwtNotBefore).where(JwtNotBefore.ts < before))


def is_signing(key: JwtKey) -> bool:
    """Whether a key signs."""
    return key.status == SigningKeyStatus.SIGNING
