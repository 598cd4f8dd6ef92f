"""Queries for MAC tokens."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import CursorResult, Table, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations.models import Activation
from powerauth_core.applications.models import Application
from powerauth_core.enums import ActivationStatus
from powerauth_core.tokens.models import Token
from servicekit.database import insert_ignore

_TABLE = cast(Table, Token.__table__)


# A value, never changed. Not frozen: that makes it five times as dear, and every check makes one.
@dataclass(slots=True)
class FoundToken:
    """A token with what its activation and application answer for it.

    :ivar secret: column text, encrypted as `secret_encryption` says
    """

    token_id: str
    secret: str = field(repr=False)
    secret_encryption: int
    signature_type: str
    activation_id: str
    activation_status: ActivationStatus
    blocked_reason: str | None
    protocol: str
    user_id: str
    activation_name: str | None
    activation_flags: tuple[str, ...]
    application_id: str
    application_roles: tuple[str, ...]


_FIND = (
    select(
        Token.token_id,
        Token.token_secret,
        Token.token_secret_encryption,
        Token.signature_type,
        Activation.activation_id,
        Activation.activation_status,
        Activation.blocked_reason,
        Activation.protocol,
        Activation.user_id,
        Activation.activation_name,
        Activation.flags,
        Application.name,
        Application.roles,
    )
    .join(Activation, Token.activation_id == Activation.activation_id)
    .join(Application, Activation.application_id == Application.id)
)


async def find(
    session: AsyncSession, token_id: str, application_ids: Collection[str] | None
) -> FoundToken | None:
    """The token, unless it is outside the caller's scope (D21)."""
    statement = _FIND.where(Token.token_id == token_id)
    if application_ids is not None:
        statement = statement.where(Application.name.in_(application_ids))
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        return None
    return FoundToken(*row[:10], tuple(row[10] or ()), row[11], tuple(row[12] or ()))


async def add(session: AsyncSession, values: dict[str, Any]) -> bool:
    """Insert a token; False if its id is taken."""
    return await insert_ignore(session, _TABLE, values) == 1


async def remove(session: AsyncSession, token_id: str, activation_id: str) -> bool:
    """Delete a token of this activation."""
    statement = delete(Token).where(Token.token_id == token_id, Token.activation_id == activation_id)
    return cast("CursorResult[Any]", await session.execute(statement)).rowcount > 0
