"""Queries for activations and their history. Applications are named by their public ids, rows by `rid`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVarTuple

from sqlalchemy import Select, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_core.activations.models import Activation, ActivationHistory
from powerauth_core.activations.rules import CREATED, PENDING_COMMIT
from powerauth_core.applications.models import Application
from servicekit.row_macs import judged

_Ts = TypeVarTuple("_Ts")

ApplicationIds = Sequence[str] | None
"""Public ids of the applications a caller may see; None = all (D21)."""


async def find(
    session: AsyncSession, activation_id: str, application_ids: ApplicationIds = None
) -> Activation | None:
    """The activation as this transaction sees it, without a lock.

    :raises RowKeyUnknown: nobody here can tell whether the core has written it
    """
    statement = _in_scope(
        select(Activation).where(Activation.activation_id == activation_id), application_ids
    )
    return judged((await session.execute(statement)).scalar_one_or_none())


async def lock(
    session: AsyncSession, activation_id: str, application_ids: ApplicationIds = None
) -> Activation | None:
    """The activation, locked until the end of the transaction and read anew after the lock was got.

    Locks go in this order everywhere: activations by id, operations by id, recovery codes (D9).

    :raises RowKeyUnknown: as `find`
    """
    statement = _in_scope(
        select(Activation).where(Activation.activation_id == activation_id), application_ids
    )
    return judged((await session.execute(_locked(statement))).scalar_one_or_none())


async def lock_many(
    session: AsyncSession, activation_ids: Iterable[str], application_ids: ApplicationIds = None
) -> dict[str, Activation]:
    """Those of the activations that exist, locked in the order of their ids, by id."""
    statement = select(Activation).where(Activation.activation_id.in_(set(activation_ids)))
    ordered = _in_scope(statement, application_ids).order_by(Activation.activation_id)
    rows = (await session.execute(_locked(ordered))).scalars()
    return {row.activation_id: row for row in rows}


async def exists_id(session: AsyncSession, activation_id: str) -> bool:
    """Whether the activation id is taken."""
    statement = select(exists().where(Activation.activation_id == activation_id))
    return bool((await session.execute(statement)).scalar_one())


async def code_prefix_in_use(session: AsyncSession, application_rid: int, prefix: str) -> bool:
    """Whether an activation of the application, in any state, has a code that starts with `prefix`."""
    # A range, because an index serves LIKE only in the C collation. All codes have one shape,
    # ABCDE-FGHIJ-KLMNO-PQRST over 2-7 and A-Z, so those of a prefix lie between its lowest and its highest.
    statement = select(
        exists().where(
            Activation.application_id == application_rid,
            Activation.activation_code.between(f"{prefix}-22222-22222", f"{prefix}-ZZZZZ-ZZZZZ"),
        )
    )
    return bool((await session.execute(statement)).scalar_one())


async def find_created_by_code(
    session: AsyncSession, application_rid: int, activation_code: str, now: datetime
) -> tuple[str, str | None] | None:
    """Ids of the activation that waits for a key exchange with this code and of its parent, without a lock.

    Neither changes during the life of an activation.
    """
    statement = select(Activation.activation_id, Activation.parent_activation_id).where(
        Activation.activation_code == activation_code,
        Activation.application_id == application_rid,
        Activation.activation_status == CREATED,
        Activation.protocol == ActivationProtocol.POWERAUTH.value,
        Activation.timestamp_activation_expire > now,
    )
    found = (await session.execute(statement.limit(1))).one_or_none()
    return None if found is None else (found[0], found[1])


async def look_up(
    session: AsyncSession,
    user_ids: Sequence[str],
    application_ids: ApplicationIds,
    *,
    last_used_before: datetime | None,
    last_used_after: datetime | None,
    status: ActivationStatus | None,
) -> list[tuple[Activation, str]]:
    """Activations that match and can be judged, with their application ids, in no particular order; None
    matches all.
    """
    statement = (
        select(Activation, Application.name)
        .join(Application, Activation.application_id == Application.id)
        .where(Activation.user_id.in_(user_ids))
    )
    if application_ids is not None:
        statement = statement.where(Application.name.in_(application_ids))
    if last_used_before is not None:
        statement = statement.where(Activation.timestamp_last_used < last_used_before)
    if last_used_after is not None:
        statement = statement.where(Activation.timestamp_last_used >= last_used_after)
    if status is not None:
        statement = statement.where(Activation.activation_status == status)
    found = await session.execute(statement)
    return [(activation, name) for activation, name in found if not activation.unjudged]


async def overdue_ids(
    session: AsyncSession, since: datetime, now: datetime, limit: int, *, offset: int
) -> list[str]:
    """Ids of unfinished activations whose expiry lies in ``[since, now)``, the oldest first.

    :param offset: so many of them are passed over
    """
    statement = (
        select(Activation.activation_id)
        .where(
            Activation.activation_status.in_((CREATED, PENDING_COMMIT)),
            Activation.timestamp_activation_expire >= since,
            Activation.timestamp_activation_expire < now,
        )
        .order_by(Activation.timestamp_activation_expire, Activation.activation_id)
        .limit(limit)
        .offset(offset)
    )
    return list((await session.execute(statement)).scalars())


async def history(
    session: AsyncSession,
    activation_id: str,
    since: datetime | None,
    until: datetime | None,
    application_ids: ApplicationIds = None,
) -> list[ActivationHistory]:
    """History rows of an activation in the inclusive range, newest first."""
    statement = (
        select(ActivationHistory)
        .where(ActivationHistory.activation_id == activation_id)
        .order_by(ActivationHistory.timestamp_created.desc(), ActivationHistory.id.desc())
    )
    if application_ids is not None:
        visible = _in_scope(select(Activation.activation_id), application_ids)
        statement = statement.where(ActivationHistory.activation_id.in_(visible))
    if since is not None:
        statement = statement.where(ActivationHistory.timestamp_created >= since)
    if until is not None:
        statement = statement.where(ActivationHistory.timestamp_created <= until)
    return list((await session.execute(statement)).scalars())


def _in_scope(statement: Select[*_Ts], application_ids: ApplicationIds) -> Select[*_Ts]:
    if application_ids is None:
        return statement
    rids = select(Application.id).where(Application.name.in_(application_ids))
    return statement.where(Activation.application_id.in_(rids))


def _locked(statement: Select[*_Ts]) -> Select[*_Ts]:
    # NO KEY UPDATE: rows that refer to the activation (audit, tokens, temporary keys) can still be inserted.
    return statement.with_for_update(key_share=True).execution_options(populate_existing=True)
