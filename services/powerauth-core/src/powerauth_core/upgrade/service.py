"""Protocol upgrade, for which no activation qualifies (spec/core-api.md §14, D8).

Activations are of version 3. An adopted database may hold some of version 2; those can be listed, blocked and
removed, and like every other use of them the upgrade answers ERR0008.
"""

from __future__ import annotations

from typing import NoReturn

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol
from powerauth_contracts.rest.upgrade import (
    CommitUpgradeRequest,
    CommitUpgradeResponse,
    StartUpgradeRequest,
    StartUpgradeResponse,
)
from powerauth_core.activations import repository
from powerauth_core.activations.repository import ApplicationIds
from powerauth_core.applications.cache import ApplicationCache
from powerauth_core.envelopes.service import read_envelope, require_version
from powerauth_core.kernel.errors import (
    ActivationNotFound,
    DecryptionFailed,
    IncorrectActivationState,
    InvalidRequest,
)
from powerauth_protocol.v3.versions import ProtocolVersion
from servicekit.database import Database


async def start_upgrade(
    database: Database, application_cache: ApplicationCache, request: StartUpgradeRequest
) -> StartUpgradeResponse:
    """``upgrade/start``.

    :raises DecryptionFailed: the envelope does not fit its version, or the application does not accept that
    :raises ActivationNotFound: unknown
    :raises InvalidRequest: FIDO2
    :raises IncorrectActivationState: in all other cases
    """
    try:
        version, _ = read_envelope(request, request.protocol_version)
    except InvalidRequest:
        raise DecryptionFailed() from None
    async with database.read() as session:
        await refuse_start(
            application_cache,
            session,
            request.activation_id,
            request.application_key,
            version,
            application_ids=request.application_ids,
        )


async def refuse_start(
    application_cache: ApplicationCache,
    session: AsyncSession,
    activation_id: str,
    application_key: str,
    version: ProtocolVersion,
    *,
    application_ids: ApplicationIds = None,
) -> NoReturn:
    """Why an upgrade does not start.

    :raises DecryptionFailed: the application does not accept the protocol version
    :raises CoreError: as `start_upgrade`
    """
    application = await application_cache.by_key(session, application_key)
    if application is not None:
        require_version(application, version)
    await _refuse(session, activation_id, application_ids)


async def commit_upgrade(database: Database, request: CommitUpgradeRequest) -> CommitUpgradeResponse:
    """``upgrade/commit``; raises as `commit`."""
    async with database.read() as session:
        return await commit(session, request)


async def commit(session: AsyncSession, request: CommitUpgradeRequest) -> CommitUpgradeResponse:
    """The upgrade's second step, in the caller's transaction.

    :raises ActivationNotFound: unknown
    :raises InvalidRequest: FIDO2
    :raises IncorrectActivationState: in all other cases
    """
    await _refuse(session, request.activation_id, request.application_ids)


async def _refuse(session: AsyncSession, activation_id: str, application_ids: ApplicationIds) -> NoReturn:
    activation = await repository.find(session, activation_id, application_ids)
    if activation is None:
        raise ActivationNotFound()
    if activation.protocol != ActivationProtocol.POWERAUTH:
        raise InvalidRequest()
    raise IncorrectActivationState()
