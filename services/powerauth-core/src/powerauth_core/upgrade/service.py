"""Protocol upgrade, for which no activation qualifies (spec/core-api.md §14, D8).

Activations are of version 3. An adopted database may hold some of version 2; those can be listed, blocked and
removed, and like every other use of them the upgrade answers ERR0008.
"""

from __future__ import annotations

from typing import NoReturn

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol
from powerauth_core.activations import repository
from powerauth_core.activations.repository import ApplicationIds
from powerauth_core.applications.cache import ApplicationCache
from powerauth_core.envelopes.service import ClosedEnvelope, require_version
from powerauth_core.kernel.errors import (
    ActivationNotFound,
    DecryptionFailed,
    IncorrectActivationState,
    InvalidRequest,
)
from powerauth_protocol.groups import Envelope
from servicekit.database import Database


async def start(
    database: Database,
    application_cache: ApplicationCache,
    *,
    activation_id: str,
    closed: ClosedEnvelope,
    scope: ApplicationIds = None,
) -> NoReturn:
    """``upgrade/start``.

    :raises DecryptionFailed: the envelope does not fit its version, or the application does not accept that
    :raises ActivationNotFound: unknown
    :raises InvalidRequest: FIDO2
    :raises IncorrectActivationState: in all other cases
    """
    try:
        envelope = closed.judged()
    except InvalidRequest:
        raise DecryptionFailed() from None
    async with database.read() as session:
        await refuse_start(application_cache, session, activation_id, closed.application_key, envelope, scope)


async def refuse_start(
    application_cache: ApplicationCache,
    session: AsyncSession,
    activation_id: str,
    application_key: str,
    envelope: Envelope,
    scope: ApplicationIds = None,
) -> NoReturn:
    """Why an upgrade does not start.

    :raises DecryptionFailed: the application does not accept the protocol version
    :raises CoreError: as `start`
    """
    application = await application_cache.by_key(session, application_key)
    if application is not None:
        require_version(application, envelope.version)
    await refuse(session, activation_id, scope)


async def commit(database: Database, activation_id: str, scope: ApplicationIds = None) -> NoReturn:
    """``upgrade/commit``; raises as `refuse`."""
    async with database.read() as session:
        await refuse(session, activation_id, scope)


async def refuse(session: AsyncSession, activation_id: str, scope: ApplicationIds = None) -> NoReturn:
    """Why an activation is not upgraded, in the caller's transaction.

    :raises ActivationNotFound: unknown
    :raises InvalidRequest: FIDO2
    :raises IncorrectActivationState: in all other cases
    """
    activation = await repository.find(session, activation_id, scope)
    if activation is None:
        raise ActivationNotFound()
    if activation.protocol != ActivationProtocol.POWERAUTH:
        raise InvalidRequest()
    raise IncorrectActivationState()
