"""Registration of a passkey (spec/device-trust.md §4.2, §4.3).

The challenge is the code of an activation that waits. A passkey that is not what it says, or that the policy
refuses, ends that activation: each challenge is answered once.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol, AuditLevel
from powerauth_core.activations import repository as activations
from powerauth_core.activations.administration import remove_locked
from powerauth_core.activations.expiry import overdue
from powerauth_core.activations.initialisation import Properties, init_activation, initialise
from powerauth_core.activations.models import Activation
from powerauth_core.activations.rules import ACTIVE, CREATED
from powerauth_core.fido2 import authenticators, monitoring, repository
from powerauth_core.fido2.making import Made, attestation, extras
from powerauth_core.fido2.ports import Ports
from powerauth_core.fido2.relying_party import RelyingParty, Rules, rules_of
from powerauth_core.kernel.errors import InvalidApplication
from powerauth_core.passkey_records import reads
from powerauth_core.passkey_records.stored import Passkey
from powerauth_core.passkeys import ceremony, client_data, evaluation
from powerauth_core.passkeys.ceremony import RegistrationAnswer
from powerauth_core.passkeys.evaluation import Accepted
from powerauth_core.passkeys.refusals import CeremonyFailed, CeremonyReason, PasskeyRefused, PolicyRefused
from powerauth_protocol.common.encoding import b64encode
from servicekit import clock
from servicekit.additions import Additions
from servicekit.database import fetch_within
from servicekit.row_macs import judged

VERSION: Final = 3
"""Generation of the protocol that the original stores a passkey with; nothing of it is used."""
_COUNTER_DATA = 16


@dataclass(frozen=True, slots=True)
class Challenge:
    """A passkey that is waited for.

    :ivar text: whose UTF-8 is the challenge
    :ivar registered: passkeys that the user has
    """

    activation_id: str
    application_id: str
    user_id: str
    text: str
    registered: Sequence[Passkey]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """An answer to a challenge, and for whom it is.

    :ivar name: that the user gave the passkey
    :ivar attachment: as the browser claims it, for display; `transports` likewise
    :ivar activation_id: the only one that it may be for; None: whichever the challenge is of
    :ivar challenge: text that it has to answer; None: whichever waits
    :ivar user_handle: that the authenticator was given, if this core made it
    """

    application_id: str
    party: RelyingParty
    answer: RegistrationAnswer
    name: str
    attachment: str | None = None
    transports: tuple[str, ...] | None = None
    activation_id: str | None = None
    challenge: str | None = None
    user_handle: bytes | None = None


async def challenge(ports: Ports, *, user_id: str, application_id: str) -> Challenge:
    """Start an activation that waits for a passkey.

    :raises InvalidApplication: unknown application
    :raises CoreError: as `init_activation`
    """
    started = await init_activation(
        ports,
        user_id=user_id,
        application_id=application_id,
        scope=None,
        protocol=ActivationProtocol.FIDO2,
        expires=None,
        max_failure_count=None,
        otp=None,
        otp_validation=None,
        commit_phase=None,
        flags=(),
        additional_data=None,
    )
    known = await passkeys_of(ports, user_id=user_id, application_id=application_id)
    return Challenge(started.activation_id, application_id, user_id, started.activation_code, known)


async def challenge_within(
    ports: Ports, session: AsyncSession, *, user_id: str, application_id: str
) -> Challenge:
    """The same in a transaction of the caller's."""
    application = await ports.application_cache.by_id(session, application_id)
    if application is None:
        raise InvalidApplication()
    properties = Properties(user_id, ActivationProtocol.FIDO2)
    new = await initialise(ports, session, application, properties)
    fetch = partial(fetch_within, session)
    known = await reads.of_user(fetch, ports.row_macs, user_id, [application_id])
    return Challenge(new.activation_id, application_id, user_id, new.activation_code or "", known)


async def passkeys_of(ports: Ports, *, user_id: str, application_id: str) -> list[Passkey]:
    """Passkeys of a user that are ACTIVE or BLOCKED, newest first."""
    return await reads.of_user(ports.database.fetch, ports.row_macs, user_id, [application_id])


async def register(ports: Ports, asked: Registration) -> Passkey:
    """Take a passkey.

    :raises Malformed: it can not be read
    :raises CeremonyFailed: a check failed, or nothing waits for it: UNKNOWN_CHALLENGE
    :raises PolicyRefused: the policy does not allow it; the challenge is burnt
    :raises InvalidApplication: unknown application
    """
    rules = await rules_of(ports, asked.application_id)
    answered = client_data.parse(asked.answer.client_data_json).challenge
    wanted = None if asked.challenge is None else asked.challenge.encode()
    try:
        registered = ceremony.registration(asked.answer, rules.expected(asked.party, wanted))
    except CeremonyFailed as failed:
        if failed.reason == CeremonyReason.CREDENTIAL_ID:
            await _burn(ports, asked, rules, answered, failed)
        raise
    table = await ports.authenticator_models.table()
    model = authenticators.of(table, registered.aaguid, ports.fido_metadata.metadata)
    made = Made(registered, model.description, asked.attachment, asked.transports, asked.user_handle)
    async with ports.database.transaction() as session:
        found = await _take(ports, session, asked, rules, answered, made)
    if isinstance(found, PasskeyRefused):
        raise found
    return found


async def _take(
    ports: Ports, session: AsyncSession, asked: Registration, rules: Rules, answered: bytes, made: Made
) -> Passkey | PolicyRefused:
    """Store the passkey or end what waits for it; a refusal is returned, since what it does has to stay."""
    registered = made.registered
    credential_id = b64encode(registered.credential_id)
    await repository.lock_credential(session, rules.known.application_rid, credential_id)
    waiting, others = await _lock(ports, session, asked, rules, answered)
    duplicate = await repository.is_registered(session, rules.known.application_rid, credential_id)
    try:
        accepted = evaluation.registration(rules.policy, registered, rules.facts(ports, duplicate=duplicate))
    except PolicyRefused as refused:
        await _end(ports, session, asked, waiting, refused, made)
        return refused
    passkey = await _store(ports, session, asked, waiting, made, accepted)
    for other in others:
        await remove_locked(ports.changes, session, other)
    return passkey


async def _lock(
    ports: Ports, session: AsyncSession, asked: Registration, rules: Rules, answered: bytes
) -> tuple[Activation, list[Activation]]:
    """What waits for the passkey, and the passkeys that go when it comes, locked in one order (D9).

    :raises CeremonyFailed: UNKNOWN_CHALLENGE
    """
    try:
        code = answered.decode()
    except UnicodeDecodeError:
        raise CeremonyFailed(CeremonyReason.UNKNOWN_CHALLENGE) from None
    found = await repository.waiting(session, rules.known.application_rid, code, clock.now())
    if found is None or asked.activation_id not in (None, found[0]):
        raise CeremonyFailed(CeremonyReason.UNKNOWN_CHALLENGE)
    activation_id, user_id = found
    replaced: list[Passkey] = []
    if rules.policy.replace_existing_passkey:
        fetch = partial(fetch_within, session)
        replaced = await reads.of_user(fetch, ports.row_macs, user_id, [asked.application_id])
    ids = [activation_id, *(one.activation_id for one in replaced)]
    locked = await activations.lock_many(session, ids)
    waiting = judged(locked.pop(activation_id, None))
    if waiting is None or waiting.activation_status is not CREATED or overdue(waiting):
        raise CeremonyFailed(CeremonyReason.UNKNOWN_CHALLENGE)
    return waiting, list(locked.values())


async def _store(
    ports: Ports,
    session: AsyncSession,
    asked: Registration,
    waiting: Activation,
    made: Made,
    accepted: Accepted,
) -> Passkey:
    registered, now = made.registered, clock.now()
    recorded = extras(made, asked.party.rp_id, accepted, now)
    waiting.activation_name = asked.name
    waiting.external_id = b64encode(registered.credential_id)
    waiting.device_public_key_base64 = registered.key.stored()
    waiting.platform = (asked.attachment or "unknown").lower()
    waiting.device_info = made.description[:255]
    waiting.version, waiting.counter = VERSION, 0
    waiting.ctr_data = b64encode(secrets.token_bytes(_COUNTER_DATA))
    waiting.extras = recorded.encoded()
    waiting.activation_status = ACTIVE
    waiting.timestamp_last_used = now
    await ports.changes.record(session, waiting, previous_status=CREATED)
    statement = attestation(waiting.activation_id, registered, accepted, ports.fido_metadata.number, now)
    if statement is not None:
        session.add(statement)
    passkey = Passkey(waiting, asked.application_id, recorded)
    await _tell(session, passkey, accepted, ports.fido_metadata.number)
    return passkey


async def _tell(session: AsyncSession, passkey: Passkey, accepted: Accepted, mds_no: int | None) -> None:
    verdict, recorded = accepted.verdict, passkey.extras
    params = {
        "applicationId": passkey.application_id,
        "activationId": passkey.activation_id,
        "aaguid": str(recorded.aaguid),
        "fmt": recorded.fmt,
        "kind": verdict.kind,
        "trust": verdict.trust,
    }
    additions = Additions.of(session)
    result = params | {"valid": True, "type": accepted.classified.type, "reason": verdict.reason}
    monitoring.put(additions, monitoring.REGISTRATION, result, passkey.user_id)
    code = accepted.monitored
    if code is not None:
        tried = params | {"verdict": code, "mdsNo": mds_no}
        monitoring.put(additions, monitoring.POLICY_MONITOR, tried, passkey.user_id)
        additions.after_commit(partial(monitoring.count_monitored, passkey.application_id, code))
    await additions.write(session)


async def _burn(
    ports: Ports, asked: Registration, rules: Rules, answered: bytes, failed: CeremonyFailed
) -> None:
    """End what waits for an answer whose parts do not belong together."""
    async with ports.database.transaction() as session:
        waiting, _ = await _lock(ports, session, asked, rules, answered)
        await _end(ports, session, asked, waiting, failed)


async def _end(
    ports: Ports,
    session: AsyncSession,
    asked: Registration,
    waiting: Activation,
    refused: PasskeyRefused,
    made: Made | None = None,
) -> None:
    await remove_locked(ports.changes, session, waiting)
    params = {
        "applicationId": asked.application_id,
        "activationId": waiting.activation_id,
        "aaguid": None if made is None else str(made.registered.aaguid),
        "fmt": None if made is None else made.registered.fmt,
        "valid": False,
        "reason": refused.reason,
        "detail": refused.detail or None,
    }
    denied = isinstance(refused, PolicyRefused)
    message = monitoring.POLICY_DENIED if denied else monitoring.REGISTRATION
    additions = Additions.of(session)
    monitoring.put(additions, message, params, waiting.user_id, AuditLevel.WARN)
    await additions.write(session)
