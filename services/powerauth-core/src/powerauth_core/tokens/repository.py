"""Queries for MAC tokens."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import Column, ColumnElement, CursorResult, Table, delete, select, type_coerce
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.types import TypeDecorator

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.activations.models import BOUND_COLUMNS, Activation, status_as_unsound
from powerauth_core.activations.reads import stored_status, stored_texts
from powerauth_core.applications.models import Application
from powerauth_core.tokens.models import Token
from servicekit.database import insert_ignore
from servicekit.row_macs import RowKeyUnknown, RowMacs


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


_TOKEN, _ACTIVATION, _APPLICATION = (
    cast(Table, entity.__table__) for entity in (Token, Activation, Application)
)
STORED: dict[str, Column[Any]] = {
    "token_id": _TOKEN.c.token_id,
    "secret": _TOKEN.c.token_secret,
    "secret_encryption": _TOKEN.c.token_secret_encryption,
    "signature_type": _TOKEN.c.signature_type,
    "activation_id": _ACTIVATION.c.activation_id,
    "blocked_reason": _ACTIVATION.c.blocked_reason,
    "protocol": _ACTIVATION.c.protocol,
    "user_id": _ACTIVATION.c.user_id,
    "activation_name": _ACTIVATION.c.activation_name,
    "activation_flags": _ACTIVATION.c.flags,
    "application_id": _APPLICATION.c.name,
    "application_roles": _APPLICATION.c.roles,
    "activation_status": _ACTIVATION.c.activation_status,
    "row_mac": _ACTIVATION.c.row_mac,
    **{f"bound_{name}": _ACTIVATION.c[name] for name in BOUND_COLUMNS},
}
"""Columns of a token, its activation and its application by the names that `found_token` gives them, in its
order.
"""


def _as_stored(column: Column[Any]) -> ColumnElement[Any]:
    """The column without our decoding: numbers and texts as the database holds them."""
    kind = column.type
    return type_coerce(column, kind.impl_instance if isinstance(kind, TypeDecorator) else kind)


_FIND = (
    select(*[_as_stored(column).label(name) for name, column in STORED.items()])
    .select_from(_TOKEN)
    .join(_ACTIVATION, _TOKEN.c.activation_id == _ACTIVATION.c.activation_id)
    .join(_APPLICATION, _ACTIVATION.c.application_id == _APPLICATION.c.id)
)


def found_token(columns: Iterable[Any], macs: RowMacs) -> FoundToken:
    """A token out of `STORED`; its activation is BLOCKED at best if that row is unsound (D32).

    :param columns: as the database holds them
    :raises RowKeyUnknown: nobody here can tell whether the core has written the activation
    """
    # Unpacked: a look-up by name for each makes reading a row of a hot call twice as dear.
    (
        token_id,
        secret,
        secret_encryption,
        signature_type,
        activation_id,
        blocked_reason,
        protocol,
        user_id,
        activation_name,
        flags,
        application_id,
        roles,
        code,
        mac,
        *bound,
    ) = columns
    status = stored_status(code)
    sound = macs.sound(_ACTIVATION.name, activation_id, tuple(bound), mac)
    if not sound and not macs.judges(mac):
        raise RowKeyUnknown(_ACTIVATION.name)
    return FoundToken(
        token_id=token_id,
        secret=secret,
        secret_encryption=secret_encryption,
        signature_type=signature_type,
        activation_id=activation_id,
        activation_status=status if sound else status_as_unsound(status),
        blocked_reason=blocked_reason,
        protocol=protocol,
        user_id=user_id,
        activation_name=activation_name,
        activation_flags=stored_texts(flags),
        application_id=application_id,
        application_roles=stored_texts(roles),
    )


async def find(
    session: AsyncSession, macs: RowMacs, token_id: str, application_ids: Collection[str] | None
) -> FoundToken | None:
    """The token, unless it is outside the caller's scope (D21)."""
    statement = _FIND.where(_TOKEN.c.token_id == token_id)
    if application_ids is not None:
        statement = statement.where(_APPLICATION.c.name.in_(application_ids))
    row = (await session.execute(statement)).one_or_none()
    return None if row is None else found_token(row, macs)


async def add(session: AsyncSession, values: dict[str, Any]) -> bool:
    """Insert a token; False if its id is taken."""
    return await insert_ignore(session, _TOKEN, values) == 1


async def remove(session: AsyncSession, token_id: str, activation_id: str) -> bool:
    """Delete a token of this activation."""
    statement = delete(Token).where(Token.token_id == token_id, Token.activation_id == activation_id)
    return cast("CursorResult[Any]", await session.execute(statement)).rowcount > 0
