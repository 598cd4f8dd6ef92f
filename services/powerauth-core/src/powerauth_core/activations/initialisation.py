"""The start of an activation: id, code, server key pair (spec/core-api.md §7.1)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import null
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationOtpValidation, ActivationProtocol, CommitPhase, TransferType
from powerauth_core.activations import keys, repository
from powerauth_core.activations.history import changed
from powerauth_core.activations.models import Activation
from powerauth_core.activations.ports import Ports, WritingPorts
from powerauth_core.activations.repository import ApplicationIds
from powerauth_core.activations.rules import CREATED, is_blank
from powerauth_core.activations.stored import ActivationRow, AnyActivation
from powerauth_core.activations.writing import Write
from powerauth_core.applications.cache import ApplicationIdentity, MasterKey
from powerauth_core.kernel.base import json_text
from powerauth_core.kernel.errors import (
    ActivationCodeNotGenerated,
    ActivationIdNotGenerated,
    InvalidApplication,
    InvalidRequest,
)
from powerauth_core.settings import CoreSettings
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.generation import generation_of_activation, generation_of_application
from powerauth_protocol.v3 import activation_code
from servicekit import clock

if TYPE_CHECKING:
    from powerauth_core.kernel.hashing import PasswordHashes

CODE_PREFIX_LENGTH = 11
"""The part of an activation code that is unique within an application: ABCDE-FGHIJ."""
FLAGS_LENGTH = 255
"""Characters of the flags' column, JSON syntax included."""


# Values, never changed. Not frozen: that makes them five times as dear.
@dataclass(slots=True)
class Properties:
    """What the caller decides about a new activation.

    :ivar max_failure_count: None = the configured default
    :ivar expires: naive UTC, None = now plus the configured validity
    :ivar otp_hash: Argon2 text of the activation OTP, None without OTP
    :ivar parent_activation_id: the activation that opens this one, None if the bank does
    """

    user_id: str
    protocol: ActivationProtocol = ActivationProtocol.POWERAUTH
    expires: datetime | None = None
    max_failure_count: int | None = None
    otp_hash: str | None = field(default=None, repr=False)
    otp_validation: ActivationOtpValidation = ActivationOtpValidation.NONE
    commit_phase: CommitPhase = CommitPhase.ON_COMMIT
    flags: Sequence[str] = ()
    additional_data: dict[str, Any] | None = None
    parent_activation_id: str | None = None
    transfer_type: TransferType | None = None


# Not frozen either.
@dataclass(slots=True)
class StartedActivation:
    """A new activation that waits for its device; the signature is Base64 of DER over the code."""

    activation_id: str
    activation_code: str = field(repr=False)
    activation_signature: str


async def init_activation(
    ports: WritingPorts,
    *,
    user_id: str,
    application_id: str,
    scope: ApplicationIds,
    protocol: ActivationProtocol,
    expires: datetime | None,
    max_failure_count: int | None,
    otp: str | None,
    otp_validation: ActivationOtpValidation | None,
    commit_phase: CommitPhase | None,
    flags: Sequence[str],
    additional_data: dict[str, Any] | None,
) -> StartedActivation:
    """``activation/init``: start an activation that a device joins by its code.

    :raises InvalidApplication: unknown application
    :raises InvalidRequest: OTP and commit phase do not fit together, or the expiration has passed
    :raises CoreError: no usable master key pair, or no unused id or code was found
    """
    check_expiration(expires, "initiating activation")
    application = await ports.application_cache.identity(ports.database, application_id)
    if application is None or (scope is not None and application_id not in scope):
        raise InvalidApplication()
    validation = otp_validation or ActivationOtpValidation.NONE
    _check_otp(otp, validation, commit_phase)
    check_flags(flags, "flags")
    properties = Properties(
        user_id=user_id,
        protocol=protocol,
        expires=expires,
        max_failure_count=max_failure_count,
        otp_hash=await hash_otp(ports.hashes, user_id, otp),
        otp_validation=validation,
        commit_phase=commit_phase or CommitPhase.ON_COMMIT,
        flags=flags,
        additional_data=additional_data,
    )
    if ports.activation_writer.writes:
        code = activation_code.generate()
        activation = _new(ports, application, properties, str(uuid.uuid4()), code)
        change = changed(activation, application_id, previous_status=None)
        if await ports.activation_writer.write(Write(activation, change)):
            return started(application, activation)
    async with ports.database.transaction() as session:
        return started(application, await initialise(ports, session, application, properties))


async def initialise(
    ports: Ports, session: AsyncSession, application: ApplicationIdentity, properties: Properties
) -> Activation:
    """Insert a new activation in state CREATED, with history and callbacks.

    :raises NoMasterKeyPair: the application has no key pair to sign the code with
    :raises MasterKeyFormat: the key pair cannot be read
    :raises ActivationIdNotGenerated: every generated id was taken
    :raises ActivationCodeNotGenerated: every generated code was taken
    """
    activation_id = await _unused_id(ports.settings, session)
    code = await _unused_code(ports.settings, session, application.application_rid)
    new = _new(ports, application, properties, activation_id, code)
    # The column of the version has a default of 2.
    activation = Activation(**new.columns() | {"version": null()})
    session.add(activation)
    await session.flush()
    await ports.changes.record(session, activation, previous_status=None)
    return activation


def _new(
    ports: Ports, application: ApplicationIdentity, properties: Properties, activation_id: str, code: str
) -> ActivationRow:
    """An activation in state CREATED; raises as `initialise`. It has no version before its key exchange."""
    master_key, settings, now = application.master_key(), ports.settings, clock.now()
    private, public = generation_of_activation(None).server_keys.new()
    pair = keys.encrypt_server_key(ports.cipher, private, public, properties.user_id, activation_id)
    return ActivationRow(
        activation_id=activation_id,
        application_id=application.application_rid,
        user_id=properties.user_id,
        activation_code=code,
        activation_status=CREATED,
        activation_otp=properties.otp_hash,
        activation_otp_validation=properties.otp_validation,
        commit_phase=properties.commit_phase,
        max_failed_attempts=properties.max_failure_count or settings.signature_max_failed_attempts,
        server_private_key_base64=pair.private_key,
        server_private_key_encryption=pair.encryption,
        server_public_key_base64=pair.public_key,
        timestamp_created=now,
        timestamp_last_used=now,
        timestamp_activation_expire=properties.expires
        or now + timedelta(milliseconds=settings.activation_validity_ms),
        master_keypair_id=master_key.rid,
        protocol=properties.protocol.value,
        flags=list(properties.flags),
        additional_data=properties.additional_data,
        parent_activation_id=properties.parent_activation_id,
        transfer_type=properties.transfer_type,
    )


def started(application: ApplicationIdentity, activation: AnyActivation) -> StartedActivation:
    """The new activation with the signature that its code is shown with."""
    return StartedActivation(
        activation.activation_id,
        activation.activation_code or "",
        sign_code(application.master_key(), activation.activation_code),
    )


def sign_code(master_key: MasterKey, activation_code: str | None) -> str:
    """Base64 of the signature over the activation code; random, so it differs on every call."""
    signatures = generation_of_application().data_signatures
    return b64encode(signatures.sign(master_key.private, (activation_code or "").encode()))


async def hash_otp(hashes: PasswordHashes, share: str, otp: str | None) -> str | None:
    """Argon2 text of an OTP; None for a blank one.

    :param share: whose OTP it is, as `PasswordHashes.hash`
    """
    return None if otp is None or is_blank(otp) else await hashes.hash(share, otp)


def _check_otp(
    otp: str | None, validation: ActivationOtpValidation, commit_phase: CommitPhase | None
) -> None:
    if validation is ActivationOtpValidation.NONE:
        return
    if commit_phase is not None:
        raise InvalidRequest("requestObject.commitPhase - must not be combined with activationOtpValidation")
    if is_blank(otp):
        raise InvalidRequest("requestObject.activationOtp - must not be blank")


def check_expiration(expires: datetime | None, doing: str) -> None:
    """Refuse an activation that would be over before it starts.

    :param doing: what the call does, in words: existing clients compare this one sentence
    :raises InvalidRequest: the moment has passed
    """
    if expires is not None and expires <= clock.now():
        raise InvalidRequest(
            "requestObject.timestampActivationExpire - The activation expiration timestamp must be in the"
            f" future when {doing}"
        )


def check_flags(flags: Sequence[str], member: str) -> None:
    """Refuse flags that do not fit their column.

    :param member: name of the request's member that holds them
    :raises InvalidRequest: their JSON text is too long
    """
    if not flags_fit(flags):
        raise InvalidRequest(f"requestObject.{member} - must be shorter")


def flags_fit(flags: Sequence[str]) -> bool:
    """Whether flags fit their column."""
    return len(json_text(list(flags))) <= FLAGS_LENGTH


async def _unused_id(settings: CoreSettings, session: AsyncSession) -> str:
    for _ in range(settings.generate_activation_id_iterations):
        activation_id = str(uuid.uuid4())
        if not await repository.exists_id(session, activation_id):
            return activation_id
    raise ActivationIdNotGenerated()


async def _unused_code(settings: CoreSettings, session: AsyncSession, application_rid: int) -> str:
    for _ in range(settings.generate_activation_code_iterations):
        code = activation_code.generate()
        if not await repository.code_prefix_in_use(session, application_rid, code[:CODE_PREFIX_LENGTH]):
            return code
    raise ActivationCodeNotGenerated()
