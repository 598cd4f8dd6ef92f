"""Queries for recovery codes, PUKs and recovery configuration."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import Select, Table, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import RecoveryCodeStatus, RecoveryPukStatus
from powerauth_core.applications.models import Application
from powerauth_core.recovery.models import RecoveryCode, RecoveryConfig, RecoveryPuk
from powerauth_core.recovery.rules import USABLE
from servicekit.database import insert_ignore

_CONFIG_TABLE = cast(Table, RecoveryConfig.__table__)


async def find_by_code(
    session: AsyncSession, application_rid: int, recovery_code: str
) -> RecoveryCode | None:
    """The application's recovery code with this text, without a lock."""
    statement = select(RecoveryCode).where(
        RecoveryCode.recovery_code == recovery_code, RecoveryCode.application_id == application_rid
    )
    return (await session.execute(statement.limit(1))).scalar_one_or_none()


async def lock(session: AsyncSession, code_id: int) -> RecoveryCode | None:
    """The code, locked until the end of the transaction and read anew; after its activation (D9)."""
    statement = select(RecoveryCode).where(RecoveryCode.id == code_id).with_for_update(key_share=True)
    refreshed = statement.execution_options(populate_existing=True)
    return (await session.execute(refreshed)).scalar_one_or_none()


async def lock_of_activations(session: AsyncSession, activation_ids: Collection[str]) -> list[RecoveryCode]:
    """The codes bound to activations, locked in the order of their ids."""
    statement = select(RecoveryCode).where(RecoveryCode.activation_id.in_(activation_ids))
    return await _locked(session, statement)


async def lock_many(
    session: AsyncSession, code_ids: Iterable[int], application_ids: Sequence[str] | None
) -> list[RecoveryCode]:
    """Those of the codes that exist, locked in the order of their ids."""
    statement = select(RecoveryCode).where(RecoveryCode.id.in_(set(code_ids)))
    if application_ids is not None:
        rids = select(Application.id).where(Application.name.in_(application_ids))
        statement = statement.where(RecoveryCode.application_id.in_(rids))
    return await _locked(session, statement)


async def code_exists(session: AsyncSession, application_rid: int, recovery_code: str) -> bool:
    """Whether the application has a recovery code with this text, in any state."""
    statement = select(
        exists().where(
            RecoveryCode.recovery_code == recovery_code, RecoveryCode.application_id == application_rid
        )
    )
    return bool((await session.execute(statement)).scalar_one())


async def has_postcard(session: AsyncSession, application_rid: int, user_id: str) -> bool:
    """Whether the user has a postcard code that is or may become active."""
    statement = select(
        exists().where(
            RecoveryCode.application_id == application_rid,
            RecoveryCode.user_id == user_id,
            RecoveryCode.activation_id.is_(None),
            RecoveryCode.status.in_(USABLE),
        )
    )
    return bool((await session.execute(statement)).scalar_one())


async def puks_of(session: AsyncSession, code_ids: Iterable[int]) -> dict[int, list[RecoveryPuk]]:
    """PUKs by code, in the order of their indexes, as the database holds them now."""
    wanted = list(code_ids)
    found: dict[int, list[RecoveryPuk]] = {code_id: [] for code_id in wanted}
    statement = (
        select(RecoveryPuk)
        .where(RecoveryPuk.recovery_code_id.in_(wanted))
        .order_by(RecoveryPuk.recovery_code_id, RecoveryPuk.puk_index)
        .execution_options(populate_existing=True)
    )
    for puk in (await session.execute(statement)).scalars():
        found[puk.recovery_code_id].append(puk)
    return found


async def invalidate_puks(session: AsyncSession, code_ids: Iterable[int], now: datetime) -> None:
    """Make all valid PUKs of the codes invalid."""
    await session.execute(
        update(RecoveryPuk)
        .where(
            RecoveryPuk.recovery_code_id.in_(list(code_ids)), RecoveryPuk.status == RecoveryPukStatus.VALID
        )
        .values(status=RecoveryPukStatus.INVALID, timestamp_last_change=now)
    )


async def look_up(
    session: AsyncSession,
    *,
    user_id: str | None,
    activation_id: str | None,
    application_id: str | None,
    status: RecoveryCodeStatus | None,
    application_ids: Sequence[str] | None,
) -> list[tuple[RecoveryCode, str]]:
    """Codes that match, with their application ids, newest first; None matches all."""
    statement = (
        select(RecoveryCode, Application.name)
        .join(Application, RecoveryCode.application_id == Application.id)
        .order_by(RecoveryCode.timestamp_created.desc(), RecoveryCode.id.desc())
    )
    if user_id is not None:
        statement = statement.where(RecoveryCode.user_id == user_id)
    if activation_id is not None:
        statement = statement.where(RecoveryCode.activation_id == activation_id)
    if application_id is not None:
        statement = statement.where(Application.name == application_id)
    if status is not None:
        statement = statement.where(RecoveryCode.status == status)
    if application_ids is not None:
        statement = statement.where(Application.name.in_(application_ids))
    return [(code, name) for code, name in await session.execute(statement)]


async def find_config(session: AsyncSession, application_rid: int) -> RecoveryConfig | None:
    """Recovery configuration of an application."""
    statement = select(RecoveryConfig).where(RecoveryConfig.application_id == application_rid)
    return (await session.execute(statement)).scalar_one_or_none()


async def lock_config(session: AsyncSession, application_rid: int) -> RecoveryConfig | None:
    """The same, locked until the end of the transaction."""
    statement = select(RecoveryConfig).where(RecoveryConfig.application_id == application_rid)
    locked = statement.with_for_update().execution_options(populate_existing=True)
    return (await session.execute(locked)).scalar_one_or_none()


async def _locked(session: AsyncSession, statement: Select[RecoveryCode]) -> list[RecoveryCode]:
    ordered = statement.order_by(RecoveryCode.id).with_for_update(key_share=True)
    rows = await session.execute(ordered.execution_options(populate_existing=True))
    return list(rows.scalars())


async def add_config(session: AsyncSession, application_rid: int) -> None:
    """Insert a configuration with everything off, unless another transaction has done so."""
    await insert_ignore(session, _CONFIG_TABLE, {"application_id": application_rid})
