"""From version 2 to 3: only an adopted database has activations of version 2 (spec/core-api.md §14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations import repository
from powerauth_core.activations.history import record_change
from powerauth_core.activations.models import Activation
from powerauth_core.activations.repository import ApplicationIds
from powerauth_core.activations.rules import ACTIVATION_VERSION, REASON_VERSION_CHANGED, Call, permits
from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.enums import ActivationProtocol
from powerauth_core.envelopes.service import open_envelope, read_envelope
from powerauth_core.errors import (
    ActivationNotFound,
    DecryptionFailed,
    IncorrectActivationState,
    InvalidApplication,
    InvalidRequest,
)
from powerauth_core.upgrade.schemas import (
    CommitUpgradeRequest,
    CommitUpgradeResponse,
    StartUpgradeRequest,
    StartUpgradeResponse,
)
from powerauth_protocol.counter import generate_ctr_data
from powerauth_protocol.ecies import SharedInfo1
from powerauth_protocol.encoding import b64encode, render_json
from powerauth_protocol.scope import Scope

if TYPE_CHECKING:
    from powerauth_core.container import Core

OLD_VERSION = 2


async def start_upgrade(core: Core, request: StartUpgradeRequest) -> StartUpgradeResponse:
    """``upgrade/start``; raises as `start`."""
    async with core.database.transaction() as session:
        return await start(core, session, request)


async def start(core: Core, session: AsyncSession, request: StartUpgradeRequest) -> StartUpgradeResponse:
    """Give an activation of version 2 its counter data; the same on every call until the commit.

    :raises DecryptionFailed: the envelope does not fit its version or does not open
    :raises ActivationNotFound: unknown
    :raises InvalidRequest: FIDO2
    :raises IncorrectActivationState: not ACTIVE, or of another version
    :raises InvalidApplication: the application version is unknown, unsupported or of another application
    """
    try:
        version, env = read_envelope(request, request.protocol_version)
    except InvalidRequest:
        raise DecryptionFailed() from None
    activation, application = await _upgradable(
        core, session, request.activation_id, request.application_key, request.application_ids
    )
    opened = await open_envelope(
        core,
        session,
        scope=Scope.ACTIVATION,
        sh1=SharedInfo1.UPGRADE,
        env=env,
        application=application,
        activation=activation,
        version=version,
    )
    if activation.ctr_data is None:
        activation.ctr_data = b64encode(generate_ctr_data())
    sealed = opened.seal(render_json({"ctrData": activation.ctr_data}))
    return StartUpgradeResponse(**dict(sealed))


async def commit_upgrade(core: Core, request: CommitUpgradeRequest) -> CommitUpgradeResponse:
    """``upgrade/commit``; raises as `commit`."""
    async with core.database.transaction() as session:
        return await commit(core, session, request)


async def commit(core: Core, session: AsyncSession, request: CommitUpgradeRequest) -> CommitUpgradeResponse:
    """Make an activation one of version 3; the caller has verified a signature that uses the new counter.

    :raises ActivationNotFound: unknown
    :raises InvalidRequest: FIDO2
    :raises IncorrectActivationState: not ACTIVE, of another version, or the upgrade was not started
    :raises InvalidApplication: the application version is unknown, unsupported or of another application
    """
    activation, _ = await _upgradable(
        core, session, request.activation_id, request.application_key, request.application_ids
    )
    if activation.ctr_data is None:
        raise IncorrectActivationState()
    activation.version = ACTIVATION_VERSION
    await record_change(
        core,
        session,
        activation,
        previous_status=activation.activation_status,
        reason=REASON_VERSION_CHANGED,
        notify=False,
    )
    return CommitUpgradeResponse(committed=True)


async def _upgradable(
    core: Core,
    session: AsyncSession,
    activation_id: str,
    application_key: str,
    application_ids: ApplicationIds,
) -> tuple[Activation, ApplicationFacts]:
    """The locked activation of version 2 and the application version of the request."""
    activation = await repository.lock(session, activation_id, application_ids)
    if activation is None:
        raise ActivationNotFound()
    if activation.protocol != ActivationProtocol.POWERAUTH:
        raise InvalidRequest()
    permits(Call.UPGRADE, activation.activation_status)
    if activation.version != OLD_VERSION:
        raise IncorrectActivationState()
    application = await core.application_cache.by_key(session, application_key)
    if (
        application is None
        or not application.supported
        or application.application_rid != activation.application_id
    ):
        raise InvalidApplication()
    return activation, application
