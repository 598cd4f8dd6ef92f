"""Confirming, finding and revoking recovery codes (spec/core-api.md §8.4 to §8.6)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol, RecoveryCodeStatus, RecoveryPukStatus
from powerauth_contracts.rest.recovery import (
    ConfirmRecoveryCodeRequest,
    ConfirmRecoveryCodeResponse,
    FoundPuk,
    FoundRecoveryCode,
    LookupRecoveryCodesRequest,
    LookupRecoveryCodesResponse,
    RevokeRecoveryCodesRequest,
    RevokeRecoveryCodesResponse,
)
from powerauth_core.activations import repository as activations
from powerauth_core.activations.models import Activation
from powerauth_core.activations.rules import Call, permits
from powerauth_core.applications.cache import ApplicationCache, ApplicationFacts
from powerauth_core.envelopes.service import open_envelope, read_envelope
from powerauth_core.kernel.errors import (
    ActivationNotFound,
    InvalidApplication,
    InvalidRequest,
    RecoveryCodeNotFound,
)
from powerauth_core.recovery import lifecycle, repository
from powerauth_core.recovery.models import RecoveryCode, RecoveryPuk
from powerauth_core.recovery.ports import Ports
from powerauth_core.recovery.rules import USABLE, masked
from powerauth_protocol.common.encoding import parse_json_object, render_json
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3 import activation_code
from powerauth_protocol.v3.ecies import EciesRequest, SharedInfo1
from powerauth_protocol.v3.versions import ProtocolVersion
from servicekit import clock
from servicekit.database import Database


async def confirm_code(ports: Ports, request: ConfirmRecoveryCodeRequest) -> ConfirmRecoveryCodeResponse:
    """``recovery/confirm``: the user has received the postcard.

    :raises ActivationNotFound: unknown activation
    :raises InvalidApplication: the application key is unknown or belongs to another application
    :raises CoreError: as `confirm`
    """
    async with ports.database.transaction() as session:
        activation = await activations.find(session, request.activation_id, request.application_ids)
        if activation is None:
            raise ActivationNotFound()
        version, env = read_envelope(request, request.protocol_version)
        application = await ports.application_cache.by_key(session, request.application_key)
        if application is None or application.application_rid != activation.application_id:
            raise InvalidApplication()
        return await confirm(ports, session, activation, application, version, env)


async def confirm(
    ports: Ports,
    session: AsyncSession,
    activation: Activation,
    application: ApplicationFacts,
    version: ProtocolVersion,
    env: EciesRequest,
) -> ConfirmRecoveryCodeResponse:
    """Make the code inside the envelope usable.

    :param application: a version of the activation's application
    :param env: formally checked
    :raises InvalidRequest: recovery is not offered, FIDO2, or the code is not one to confirm
    :raises IncorrectActivationState: the activation is not ACTIVE
    :raises RecoveryCodeNotFound: the application has no such code
    :raises CoreError: the envelope does not open
    """
    if activation.protocol != ActivationProtocol.POWERAUTH:
        raise InvalidRequest()
    if not await lifecycle.is_enabled(session, activation.application_id):
        raise InvalidRequest()
    permits(Call.CONFIRM_RECOVERY_CODE, activation.activation_status)
    opened = await open_envelope(
        ports,
        session,
        scope=Scope.ACTIVATION,
        sh1=SharedInfo1.CONFIRM_RECOVERY_CODE,
        env=env,
        application=application,
        activation=activation,
        version=version,
    )
    code = await _lock_named(session, activation, _code_in(opened.plaintext))
    already = code.status is RecoveryCodeStatus.ACTIVE
    if not already:
        code.status = RecoveryCodeStatus.ACTIVE
        code.timestamp_last_change = clock.now()
    sealed = opened.seal(render_json({"alreadyConfirmed": already}))
    return ConfirmRecoveryCodeResponse(
        **dict(sealed), activation_id=activation.activation_id, user_id=activation.user_id
    )


async def look_up_codes(
    database: Database, application_cache: ApplicationCache, request: LookupRecoveryCodesRequest
) -> LookupRecoveryCodesResponse:
    """``recovery/lookup``: codes of a user or of an activation, newest first.

    :raises InvalidRequest: neither user nor activation is given, or the application is unknown
    """
    if request.user_id is None and request.activation_id is None:
        raise InvalidRequest("requestObject.userId - must not be null without activationId")
    wanted = repository.Lookup(
        user_id=request.user_id,
        activation_id=request.activation_id,
        application_id=request.application_id,
        status=request.recovery_code_status,
        application_ids=request.application_ids,
    )
    async with database.read() as session:
        if request.application_id is not None:
            await _known(application_cache, session, request.application_id)
        found = await repository.look_up(session, wanted)
        puks = await repository.puks_of(session, [code.id for code, _ in found])
    items = [_item(code, name, puks[code.id], request.recovery_puk_status) for code, name in found]
    if request.recovery_puk_status is not None:
        items = [item for item in items if item.puks]
    return LookupRecoveryCodesResponse(recovery_codes=items)


async def revoke_codes(
    database: Database, request: RevokeRecoveryCodesRequest
) -> RevokeRecoveryCodesResponse:
    """``recovery/revoke``: revoked and unknown codes are passed over."""
    async with database.transaction() as session:
        codes = await repository.lock_many(session, request.recovery_code_ids, request.application_ids)
        revoked = await lifecycle.revoke(session, codes)
    return RevokeRecoveryCodesResponse(revoked=revoked)


def _code_in(plaintext: bytes) -> str:
    try:
        text = parse_json_object(plaintext).get("recoveryCode")
    except EncodingError:
        raise InvalidRequest() from None
    if not isinstance(text, str) or not activation_code.validate(text):
        raise InvalidRequest()
    return text


async def _lock_named(session: AsyncSession, activation: Activation, text: str) -> RecoveryCode:
    found = await repository.find_by_code(session, activation.application_id, text)
    if found is None:
        raise RecoveryCodeNotFound()
    if found.user_id != activation.user_id:
        raise InvalidRequest()
    code = await repository.lock(session, found.id)
    if code is None or code.status not in USABLE:
        raise InvalidRequest()
    return code


async def _known(application_cache: ApplicationCache, session: AsyncSession, application_id: str) -> None:
    if await application_cache.by_id(session, application_id) is None:
        raise InvalidRequest()


def _item(
    code: RecoveryCode, application_id: str, puks: list[RecoveryPuk], status: RecoveryPukStatus | None
) -> FoundRecoveryCode:
    return FoundRecoveryCode(
        recovery_code_id=code.id,
        recovery_code_masked=masked(code.recovery_code),
        user_id=code.user_id,
        application_id=application_id,
        activation_id=code.activation_id,
        status=code.status,
        puks=[
            FoundPuk(puk_index=puk.puk_index, status=puk.status)
            for puk in puks
            if status is None or puk.status is status
        ],
    )
