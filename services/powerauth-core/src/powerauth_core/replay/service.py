"""Requests are accepted once: remembering unique values (spec/core-api.md §15, D4, D10)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts import moments
from powerauth_core.kernel.enums import UniqueValueType
from powerauth_core.kernel.errors import InvalidRequest
from powerauth_core.replay import repository, rules
from powerauth_core.settings import CoreSettings
from powerauth_protocol.v3.ecies import EciesRequest
from servicekit import clock
from servicekit.database import Database


def check_time(settings: CoreSettings, timestamp_ms: int) -> None:
    """Refuse an envelope outside the window around now.

    :param timestamp_ms: ms since the epoch, of the request
    :raises InvalidRequest: too old, or too far in the future
    """
    if is_enabled(settings) and not rules.is_in_time(
        timestamp_ms, clock.now_ms(), settings.request_expiration_ms
    ):
        raise InvalidRequest()


async def remember_envelope(
    settings: CoreSettings,
    session: AsyncSession,
    kind: UniqueValueType,
    request: EciesRequest,
    activation_id: str | None = None,
) -> None:
    """Remember an envelope whose MAC was verified; one without a timestamp (3.0, 3.1) cannot be remembered.

    :param activation_id: identifier of the table in spec/core-api.md §15, None in application scope
    :raises InvalidRequest: the envelope was accepted before
    """
    if request.timestamp is None:
        return
    await remember(
        settings,
        session,
        kind,
        acceptable_until_ms=request.timestamp + settings.request_expiration_ms,
        ephemeral_public_key=request.ephemeral_public_key,
        nonce=request.nonce,
        identifier=activation_id,
    )


def token_value(
    settings: CoreSettings, token_id: str, nonce: bytes, timestamp_ms: int
) -> tuple[str, datetime]:
    """What makes a token header unique, and until when it is remembered (as long as its time is accepted).

    :param timestamp_ms: ms since the epoch, of the header
    """
    acceptable_until_ms = timestamp_ms + settings.token_timestamp_validity_ms
    return rules.unique_value(None, nonce, token_id), _expires(acceptable_until_ms)


async def remember_token(
    settings: CoreSettings, session: AsyncSession, value: str, expires: datetime
) -> bool:
    """Remember a token header; False if it was accepted before.

    :param value: as :func:`token_value` gives it, with its time
    """
    return not is_enabled(settings) or await repository.add(
        session, value, UniqueValueType.MAC_TOKEN, expires
    )


async def remember(
    settings: CoreSettings,
    session: AsyncSession,
    kind: UniqueValueType,
    *,
    acceptable_until_ms: int,
    ephemeral_public_key: bytes | None = None,
    nonce: bytes | None = None,
    identifier: str | None = None,
) -> None:
    """Store a unique value in the caller's transaction, or refuse the request.

    Of several transactions with the same value exactly one passes: the others wait for it and are refused,
    unless it rolls back.

    :param acceptable_until_ms: ms since the epoch until which the request's own timestamp would be accepted
    :raises InvalidRequest: the value is stored already
    """
    if not is_enabled(settings):
        return
    value = rules.unique_value(ephemeral_public_key, nonce, identifier)
    if not await repository.add(session, value, kind, _expires(acceptable_until_ms)):
        raise InvalidRequest()


async def delete_expired(database: Database) -> int:
    """Delete values whose requests cannot be accepted any more; the job of spec/core-api.md §30.

    :return: number of deleted rows
    """
    async with database.transaction() as session:
        return await repository.delete_expired(session, clock.now())


def is_enabled(settings: CoreSettings) -> bool:
    """Whether requests are remembered at all."""
    return settings.replay_verification_service != "none"


def _expires(acceptable_until_ms: int) -> datetime:
    return moments.from_ms(max(acceptable_until_ms, clock.now_ms()) + rules.MARGIN_MS)
