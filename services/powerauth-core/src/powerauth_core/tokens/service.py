"""MAC tokens: issue, validate, remove (spec/core-api.md §11, spec/protocol-v3.md §10)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol, SignatureType
from powerauth_core.activations import repository as activations
from powerauth_core.activations.models import Activation
from powerauth_core.activations.rules import Call, permits
from powerauth_core.applications.cache import ApplicationCache, ApplicationFacts, ApplicationIdentity
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.envelopes.service import ClosedEnvelope, Sealed, open_envelope
from powerauth_core.kernel.errors import (
    ActivationNotFound,
    CryptographyFailed,
    InvalidApplication,
    InvalidRequest,
    TokenNotGenerated,
)
from powerauth_core.kernel.records import RecordCipher, token_secret_parts
from powerauth_core.settings import CoreSettings
from powerauth_core.tokens import repository
from powerauth_core.tokens.checks import TokenCheck, Verdict
from powerauth_core.tokens.ports import Ports
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.json_text import write_json
from powerauth_protocol.generation import generation_of_activation
from powerauth_protocol.groups import Envelope, EnvelopePurpose
from servicekit import clock, units
from servicekit.database import Database


async def create_token(
    ports: Ports,
    *,
    activation_id: str,
    application_ids: Sequence[str] | None,
    signature_type: SignatureType,
    closed: ClosedEnvelope,
) -> Sealed:
    """``token/create`` for a caller that has verified a signature of the recorded type itself; as `create`.

    :raises ActivationNotFound: unknown activation
    :raises CoreError: the envelope has another form, as `ClosedEnvelope.judged`, or as `create`
    """
    envelope = closed.judged()
    async with ports.database.transaction() as session:
        activation = await activations.lock(session, activation_id, application_ids)
        if activation is None:
            raise ActivationNotFound()
        application = await ports.application_cache.by_key(session, closed.application_key)
        return await create(
            ports,
            session,
            activation=activation,
            application=application,
            signature_type=signature_type,
            envelope=envelope,
        )


async def create(
    ports: Ports,
    session: AsyncSession,
    *,
    activation: Activation,
    application: ApplicationFacts | None,
    signature_type: SignatureType,
    envelope: Envelope,
) -> Sealed:
    """Issue a token of a factor type; its id and secret leave only inside the envelope.

    :param activation: locked, so that it cannot be blocked or removed meanwhile
    :param signature_type: type of the signature that was verified
    :raises InvalidRequest: a FIDO2 activation, or the envelope was accepted before
    :raises IncorrectActivationState: the activation is not ACTIVE
    :raises InvalidApplication: unknown or unsupported version, or one of another application
    :raises TokenNotGenerated: every generated id was taken
    :raises CoreError: the envelope does not open, as `open_envelope`
    """
    if activation.protocol != ActivationProtocol.POWERAUTH:
        raise InvalidRequest()
    permits(Call.CREATE_TOKEN, activation.activation_status)
    if application is None or not application.supported:
        raise InvalidApplication()
    if application.application_rid != activation.application_id:
        raise InvalidApplication()
    opened = await open_envelope(
        ports,
        session,
        envelope=envelope,
        purpose=EnvelopePurpose.CREATE_TOKEN,
        application=application,
        activation=activation,
    )
    secret = generation_of_activation(activation.version).tokens.new_secret()
    token_id = await _store(
        ports.settings, ports.cipher, session, activation.activation_id, signature_type, secret
    )
    params = {
        "tokenId": token_id,
        "activationId": activation.activation_id,
        "applicationId": application.application_id,
        "signatureType": signature_type.value,
    }
    await audit.record(session, AuditType.TOKEN, "Token created", params, activation.user_id)
    return opened.seal(write_json({"tokenId": token_id, "tokenSecret": b64encode(secret)}))


async def validate(ports: Ports, check: TokenCheck) -> Verdict:
    """Check a token header and remember it, so that it is accepted once (D10).

    :raises CryptographyFailed: unknown protocol version, or one that the token's application does not accept
    :raises CoreError: as `TokenValidator.check`
    """
    verdict = await ports.token_validator.check(check)
    if verdict.token is not None and verdict.valid:
        application = await _application(
            ports.database, ports.application_cache, verdict.token.application_id
        )
        if application is None or not application.accepts(check.version):
            raise CryptographyFailed()
    return verdict


async def remove_token(
    database: Database, *, token_id: str, activation_id: str, application_ids: Sequence[str] | None
) -> bool:
    """``token/remove``: only the owning activation's call removes a token; whether it did."""
    async with database.transaction() as session:
        owner = await activations.find(session, activation_id, application_ids)
        if owner is None:
            return False
        return await remove(session, token_id, owner.activation_id, owner.user_id)


async def remove(session: AsyncSession, token_id: str, activation_id: str, user_id: str) -> bool:
    """Remove a token if it belongs to the activation.

    :param user_id: user of the activation, for the audit
    """
    removed = await repository.remove(session, token_id, activation_id)
    if removed:
        params = {"tokenId": token_id, "activationId": activation_id}
        await audit.record(session, AuditType.TOKEN, "Token removed", params, user_id)
    return removed


async def _application(
    database: Database, application_cache: ApplicationCache, application_id: str
) -> ApplicationIdentity | None:
    known = application_cache.known_by_id(application_id)
    if known is not None:
        return known

    async def read() -> ApplicationIdentity | None:
        async with database.read() as session:
            return await application_cache.by_id(session, application_id)

    # The header is spent: the request as a whole cannot be run again, this can.
    return await units.repeated(read)


async def _store(
    settings: CoreSettings,
    cipher: RecordCipher,
    session: AsyncSession,
    activation_id: str,
    signature_type: SignatureType,
    secret: bytes,
) -> str:
    for _ in range(settings.generate_token_id_iterations):
        token_id = str(uuid.uuid4())
        mode, stored = cipher.encrypt(token_secret_parts(token_id, activation_id), secret)
        row = {
            "token_id": token_id,
            "token_secret": stored,
            "token_secret_encryption": mode,
            "activation_id": activation_id,
            "signature_type": signature_type.value,
            "timestamp_created": clock.now(),
        }
        if await repository.add(session, row):
            return token_id
    raise TokenNotGenerated()
