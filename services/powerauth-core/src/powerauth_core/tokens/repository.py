"""Queries for MAC tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, cast

from sqlalchemy import Column, CursorResult, Table, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.activations.columns import as_stored, stored_status
from powerauth_core.activations.models import BOUND_COLUMNS, Activation, status_as_unsound
from powerauth_core.applications.models import Application
from powerauth_core.kernel.row_macs import RowMacs
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


def judged_status(macs: RowMacs, bound: Sequence[Any], mac: str | None) -> ActivationStatus:
    """The state of a token's activation, which is BLOCKED at best if its row is unsound (D32).

    :param bound: values of `BOUND_COLUMNS` as stored
    """
    status = stored_status(bound[_BOUND_STATUS])
    return status if macs.sound(_ACTIVATION, bound[0], tuple(bound), mac) else status_as_unsound(status)


_ACTIVATION = Activation.__tablename__
_SHOWN = len(fields(FoundToken))
_BOUND_STATUS = BOUND_COLUMNS.index("activation_status")
# Named apart from the same columns of the entity.
_BOUND = [
    as_stored(cast("Column[Any]", Activation.__table__.c[name])).label(f"bound_{name}")
    for name in BOUND_COLUMNS
]
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
        # As stored: the MAC covers numbers, not what the entity makes of them.
        *_BOUND,
        Activation.row_mac,
    )
    .join(Activation, Token.activation_id == Activation.activation_id)
    .join(Application, Activation.application_id == Application.id)
)


async def find(
    session: AsyncSession, macs: RowMacs, token_id: str, application_ids: Collection[str] | None
) -> FoundToken | None:
    """The token, unless it is outside the caller's scope (D21)."""
    statement = _FIND.where(Token.token_id == token_id)
    if application_ids is not None:
        statement = statement.where(Application.name.in_(application_ids))
    row = (await session.execute(statement)).one_or_none()
    if row is None:
        return None
    columns: list[Any] = list(row)
    shown, bound, mac = columns[:_SHOWN], columns[_SHOWN:-1], columns[-1]
    shown[5] = judged_status(macs, bound, mac)
    shown[10], shown[12] = tuple(shown[10] or ()), tuple(shown[12] or ())
    return FoundToken(*shown)


async def add(session: AsyncSession, values: dict[str, Any]) -> bool:
    """Insert a token; False if its id is taken."""
    return await insert_ignore(session, _TABLE, values) == 1


async def remove(session: AsyncSession, token_id: str, activation_id: str) -> bool:
    """Delete a token of this activation."""
    statement = delete(Token).where(Token.token_id == token_id, Token.activation_id == activation_id)
    return cast("CursorResult[Any]", await session.execute(statement)).rowcount > 0
