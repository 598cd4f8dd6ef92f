"""Queries of the registration of passkeys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol
from powerauth_core.activations.models import Activation
from powerauth_core.activations.rules import CREATED, REMOVED
from powerauth_core.fido2.models import Fido2Authenticator
from servicekit.database import lock_name

_PASSKEY = Activation.protocol == ActivationProtocol.FIDO2.value


async def authenticators(session: AsyncSession) -> Sequence[Fido2Authenticator]:
    """The table of models."""
    return (await session.scalars(select(Fido2Authenticator))).all()


async def waiting(
    session: AsyncSession, application_rid: int, code: str, now: datetime
) -> tuple[str, str] | None:
    """Ids of the activation that waits for a passkey with this challenge, and of its user, without a lock."""
    statement = select(Activation.activation_id, Activation.user_id).where(
        Activation.activation_code == code,
        Activation.application_id == application_rid,
        Activation.activation_status == CREATED,
        _PASSKEY,
        Activation.timestamp_activation_expire > now,
    )
    found = (await session.execute(statement.limit(1))).one_or_none()
    return None if found is None else (found[0], found[1])


async def lock_credential(session: AsyncSession, application_rid: int, credential_id: str) -> None:
    """Let nobody else register this id (Base64) in the application until the end of the transaction."""
    await lock_name(session, f"passkey\0{application_rid}\0{credential_id}")


async def is_registered(session: AsyncSession, application_rid: int, credential_id: str) -> bool:
    """Whether a passkey of the application that is not removed has this id (Base64)."""
    statement = select(
        exists().where(
            Activation.application_id == application_rid,
            Activation.external_id == credential_id,
            Activation.activation_status != REMOVED,
            _PASSKEY,
        )
    )
    return bool((await session.execute(statement)).scalar_one())
