"""Requests are accepted once: remembering unique values (spec/core-api.md §15, D4, D10)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts import moments
from powerauth_core.kernel.enums import UniqueValueType
from powerauth_core.kernel.errors import InvalidRequest
from powerauth_core.replay import repository, rules
from powerauth_core.settings import CoreSettings
from servicekit import clock
from servicekit.database import Database

APPLICATION_SCOPE = UniqueValueType.ENVELOPE_APPLICATION_SCOPE
ACTIVATION_SCOPE = UniqueValueType.ENVELOPE_ACTIVATION_SCOPE


def check_time(settings: CoreSettings, timestamp_ms: int) -> None:
    """Refuse an envelope outside the window around now.

    :param timestamp_ms: ms since the epoch, of the request
    :raises InvalidRequest: too old, or too far in the future
    """
    if is_enabled(settings) and not rules.is_in_time(
        timestamp_ms, clock.now_ms(), settings.request_expiration_ms
    ):
        raise InvalidRequest()


def timed_once(
    settings: CoreSettings, kind: UniqueValueType, value: bytes, timestamp_ms: int
) -> rules.Once | None:
    """What is remembered of a verified envelope, as long as its time is accepted; as `once_of`.

    :param timestamp_ms: ms since the epoch, of the envelope
    """
    return once_of(settings, kind, value, timestamp_ms + settings.request_expiration_ms)


def token_value(
    settings: CoreSettings, token_id: str, nonce: bytes, timestamp_ms: int
) -> tuple[str, datetime]:
    """What makes a token header unique, and until when it is remembered (as long as its time is accepted).

    :param timestamp_ms: ms since the epoch, of the header
    """
    acceptable_until_ms = timestamp_ms + settings.token_timestamp_validity_ms
    return rules.token_value(token_id, nonce), _expires(acceptable_until_ms)


async def remember_token(
    settings: CoreSettings, session: AsyncSession, value: str, expires: datetime
) -> bool:
    """Remember a token header; False if it was accepted before.

    :param value: as :func:`token_value` gives it, with its time
    """
    return not is_enabled(settings) or await repository.add(
        session, value, UniqueValueType.MAC_TOKEN, expires
    )


async def remember_once(session: AsyncSession, once: rules.Once | None) -> None:
    """Store what `once_of` gave in the caller's transaction, or refuse the request.

    Of several transactions with the same value exactly one passes: the others wait for it and are refused,
    unless it rolls back.

    :raises InvalidRequest: it is stored already
    """
    if once is not None and not await store(session, once):
        raise InvalidRequest()


async def store(session: AsyncSession, once: rules.Once) -> bool:
    """Store what may be accepted once; False if it was accepted before."""
    return await repository.add(session, once.value, once.kind, once.expires)


def once_of(
    settings: CoreSettings, kind: UniqueValueType, value: bytes, acceptable_until_ms: int
) -> rules.Once | None:
    """What is stored of a request, by `remember_once` or past the entities; None: nothing is remembered.

    :param value: what makes the request unique
    :param acceptable_until_ms: ms since the epoch until which the request's own timestamp would be accepted
    """
    if not is_enabled(settings):
        return None
    return rules.Once(rules.stored_value(value), kind, _expires(acceptable_until_ms))


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
