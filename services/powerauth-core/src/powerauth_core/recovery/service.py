"""Confirming, finding and revoking recovery codes (spec/core-api.md §8.4 to §8.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol, RecoveryCodeStatus, RecoveryPukStatus
from powerauth_core.activations import repository as activations
from powerauth_core.activations.models import Activation
from powerauth_core.activations.rules import Call, permits
from powerauth_core.applications.cache import ApplicationCache, ApplicationFacts
from powerauth_core.envelopes.service import ClosedEnvelope, Sealed, open_envelope
from powerauth_core.kernel.errors import (
    ActivationNotFound,
    InvalidApplication,
    InvalidRequest,
    RecoveryCodeNotFound,
)
from powerauth_core.recovery import lifecycle, repository
from powerauth_core.recovery.models import RecoveryCode, RecoveryPuk
from powerauth_core.recovery.ports import Ports
from powerauth_core.recovery.rules import USABLE
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.json_text import read_json_object, write_json
from powerauth_protocol.groups import Envelope, EnvelopePurpose
from powerauth_protocol.v3 import activation_code
from servicekit import clock
from servicekit.database import Database


@dataclass(frozen=True, slots=True)
class FoundCode:
    """A code that was looked up.

    :ivar application_id: public id of its application
    :ivar puks: those with the wanted status, by index
    """

    code: RecoveryCode
    application_id: str
    puks: Sequence[RecoveryPuk]


async def confirm_code(
    ports: Ports,
    *,
    activation_id: str,
    closed: ClosedEnvelope,
    scope: Sequence[str] | None,
) -> tuple[Activation, Sealed]:
    """``recovery/confirm``: the user has received the postcard.

    :return: the activation, and what `confirm` says
    :raises ActivationNotFound: unknown activation
    :raises InvalidApplication: the application key is unknown or belongs to another application
    :raises CoreError: as `confirm`
    """
    async with ports.database.transaction() as session:
        activation = await activations.find(session, activation_id, scope)
        if activation is None:
            raise ActivationNotFound()
        envelope = closed.judged()
        application = await ports.application_cache.by_key(session, closed.application_key)
        if application is None or application.application_rid != activation.application_id:
            raise InvalidApplication()
        return activation, await confirm(ports, session, activation, application, envelope)


async def confirm(
    ports: Ports,
    session: AsyncSession,
    activation: Activation,
    application: ApplicationFacts,
    envelope: Envelope,
) -> Sealed:
    """Make the code inside the envelope usable.

    :param application: a version of the activation's application
    :param envelope: formally checked
    :return: whether it was usable already, for the device
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
        envelope=envelope,
        purpose=EnvelopePurpose.CONFIRM_RECOVERY_CODE,
        application=application,
        activation=activation,
    )
    code = await _lock_named(session, activation, _code_in(opened.plaintext))
    already = code.status is RecoveryCodeStatus.ACTIVE
    if not already:
        code.status = RecoveryCodeStatus.ACTIVE
        code.timestamp_last_change = clock.now()
    return opened.seal(write_json({"alreadyConfirmed": already}))


async def look_up_codes(
    database: Database,
    application_cache: ApplicationCache,
    *,
    user_id: str | None,
    activation_id: str | None,
    application_id: str | None,
    status: RecoveryCodeStatus | None,
    puk_status: RecoveryPukStatus | None,
    scope: Sequence[str] | None,
) -> list[FoundCode]:
    """``recovery/lookup``: codes of a user or of an activation, newest first.

    :param puk_status: only codes with such PUKs, and of them only these
    :raises InvalidRequest: neither user nor activation is given, or the application is unknown
    """
    if user_id is None and activation_id is None:
        raise InvalidRequest("requestObject.userId - must not be null without activationId")
    async with database.read() as session:
        if application_id is not None and await application_cache.by_id(session, application_id) is None:
            raise InvalidRequest()
        found = await repository.look_up(
            session,
            user_id=user_id,
            activation_id=activation_id,
            application_id=application_id,
            status=status,
            application_ids=scope,
        )
        puks = await repository.puks_of(session, [code.id for code, _ in found])
    codes = []
    for code, name in found:
        wanted = [puk for puk in puks[code.id] if puk_status in (None, puk.status)]
        if wanted or puk_status is None:
            codes.append(FoundCode(code, name, wanted))
    return codes


async def revoke_codes(database: Database, code_ids: Sequence[int], scope: Sequence[str] | None) -> bool:
    """``recovery/revoke``: revoked and unknown codes are passed over.

    :return: whether a code changed
    """
    async with database.transaction() as session:
        return await lifecycle.revoke(session, await repository.lock_many(session, code_ids, scope))


def _code_in(plaintext: bytes) -> str:
    try:
        text = read_json_object(plaintext).get("recoveryCode")
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
