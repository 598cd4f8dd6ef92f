"""Queries for what of passkeys stands beside their activations."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import cast

from sqlalchemy import Table, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.applications.models import Application
from powerauth_core.passkey_records.models import Fido2Attestation, Fido2User
from powerauth_protocol.common.encoding import b64decode, b64encode
from servicekit.database import insert_ignore

USER_HANDLE = 16
"""Bytes of a user handle."""


async def attestations(session: AsyncSession, activation_ids: Collection[str]) -> dict[str, Fido2Attestation]:
    """Statements of passkeys by the ids of their activations; of those without one there is none."""
    statement = select(Fido2Attestation).where(Fido2Attestation.activation_id.in_(activation_ids))
    return {row.activation_id: row for row in await session.scalars(statement)}


async def note_judged(
    session: AsyncSession, activation_ids: Collection[str], mds_no: int | None, now: datetime
) -> None:
    """Keep that statements were judged again.

    :param mds_no: number of the metadata
    :param now: naive UTC
    """
    await session.execute(
        update(Fido2Attestation)
        .where(Fido2Attestation.activation_id.in_(activation_ids))
        .values(mds_no=mds_no, evaluated_at=now)
    )


async def user_handle(session: AsyncSession, application_rid: int, user_id: str) -> bytes:
    """What authenticators know a user by, made when it is asked for first; 16 bytes."""
    found = await _handle(session, application_rid, user_id)
    if found is None:
        new = {
            "user_id": user_id,
            "application_id": application_rid,
            "user_handle": b64encode(secrets.token_bytes(USER_HANDLE)),
        }
        await insert_ignore(session, cast(Table, Fido2User.__table__), new)
        found = await _handle(session, application_rid, user_id)
    assert found is not None
    return b64decode(found)


async def users_of_handle(session: AsyncSession, handle: bytes, application_ids: Sequence[str]) -> list[str]:
    """The bank's ids of those whom authenticators know by this handle; of several applications several."""
    statement = (
        select(Fido2User.user_id)
        .join(Application, Application.id == Fido2User.application_id)
        .where(Fido2User.user_handle == b64encode(handle), Application.name.in_(application_ids))
        .distinct()
    )
    return list(await session.scalars(statement))


async def _handle(session: AsyncSession, application_rid: int, user_id: str) -> str | None:
    statement = select(Fido2User.user_handle).where(
        Fido2User.application_id == application_rid, Fido2User.user_id == user_id
    )
    return cast("str | None", await session.scalar(statement))
