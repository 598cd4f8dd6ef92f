"""Operations that passkeys approve (spec/device-trust.md §4.2, §4.3).

The challenge is the operation's id and data. What a sign-in changes, the operation with its events and
callbacks, the counter and the audit, is one transaction.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import SignatureType
from powerauth_core.activations import repository as activations
from powerauth_core.activations.models import Activation
from powerauth_core.activations.rules import ACTIVE, BLOCKED
from powerauth_core.fido2 import monitoring, sign_in
from powerauth_core.fido2.authenticators import Model
from powerauth_core.fido2.ports import Ports
from powerauth_core.fido2.relying_party import RelyingParty, rules_of
from powerauth_core.fido2.sign_in import ALLOWED, Context, Decision, SignIn
from powerauth_core.fido2.writing import Found, Write, stored_counter
from powerauth_core.operations import creation
from powerauth_core.operations import reads as operation_reads
from powerauth_core.operations import repository as operations
from powerauth_core.operations import service as operation_service
from powerauth_core.operations.creation import NewOperation
from powerauth_core.operations.stored import StoredOperation
from powerauth_core.operations.writing import write
from powerauth_core.passkey_records import reads
from powerauth_core.passkey_records.stored import Passkey, passkey
from powerauth_core.passkeys import client_data
from powerauth_core.passkeys.authenticator_data import Flags
from powerauth_core.passkeys.ceremony import AssertionAnswer
from powerauth_core.passkeys.client_data import ClientData
from powerauth_core.passkeys.refusals import CeremonyFailed, CeremonyReason
from powerauth_protocol.common.encoding import b64encode
from servicekit import clock
from servicekit.additions import Additions

_NOBODY: Final = ""
"""Id that no activation has."""
SHORT_ID: Final = 32
"""Bytes of a credential id of the special model, which sends the operation's data behind it."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """An operation that waits for a passkey.

    :ivar allowed: passkeys of its user, with what is known of their models
    """

    operation: StoredOperation
    allowed: Sequence[tuple[Passkey, Model | None]]

    @property
    def text(self) -> str:
        """Whose UTF-8 is the challenge."""
        return f"{self.operation.id}&{self.operation.row.data}"


@dataclass(frozen=True, slots=True)
class Approved:
    """An operation that a passkey approved.

    :ivar passkey: as it was before
    :ivar flags: of this sign-in
    """

    passkey: Passkey
    operation: StoredOperation
    flags: Flags
    signature_type: SignatureType


Accepted = Callable[[AsyncSession, Approved], Awaitable[None]]
"""What else happens in the transaction of an approval."""


async def challenge(
    ports: Ports,
    *,
    template_name: str,
    application_ids: Sequence[str],
    user_id: str | None,
    external_id: str | None = None,
    parameters: Mapping[str, str | None] | None = None,
) -> Challenge:
    """Make an operation that passkeys of a user may approve, or of whoever claims it.

    :raises CoreError: as `creation.create`
    """
    allowed = await _passkeys(ports, user_id, application_ids)
    listed = {ALLOWED: [one.credential_id for one, _ in allowed]} if allowed else None
    new = NewOperation(
        template_name=template_name,
        applications=application_ids,
        user_id=user_id,
        external_id=external_id,
        activation_flag=None,
        parameters=parameters or {},
        additional_data=listed,
        expires=None,
        with_proximity=None,
        activation_id=None,
    )
    return Challenge(await creation.create(ports, new, None), allowed)


async def challenge_of(
    ports: Ports, *, operation_id: str, application_ids: Sequence[str], user_id: str | None
) -> Challenge:
    """The challenge of an operation that there is; reading claims nothing.

    :raises OperationNotFound: unknown, of other applications, or of another user
    """
    operation = await operation_service.detail(
        ports.database, operation_id=operation_id, user_id=user_id, scope=application_ids
    )
    owner = operation.row.user_id or user_id
    return Challenge(operation, await _passkeys(ports, owner, application_ids))


def parts_of(client_data_json: bytes) -> tuple[str, str]:
    """Id and data of the operation whose challenge was answered.

    :raises Malformed: the client data can not be read
    :raises CeremonyFailed: CHALLENGE: it is none of an operation
    """
    return _parts(client_data.parse(client_data_json))


async def verify_answer(
    ports: Ports,
    answer: AssertionAnswer,
    party: RelyingParty,
    challenge: bytes | None,
    *,
    application_id: str | None,
) -> Approved:
    """`verify` of whatever operation was answered; failures are stored with the passkey.

    :param challenge: that was expected, if the caller says so
    """
    collected = client_data.parse(answer.client_data_json)
    operation_id, data = _parts(collected)
    asked = SignIn(
        party=party,
        answer=answer,
        operation_id=operation_id,
        data=data,
        challenge=challenge,
        collected=collected,
    )
    return await verify(ports, asked, application_id=application_id)


async def verify(
    ports: Ports, asked: SignIn, *, application_id: str | None, accepted: Accepted | None = None
) -> Approved:
    """Approve an operation by a passkey.

    :param application_id: None: found by the operation, and the user whom the answer names
    :param accepted: what else happens in the transaction
    :raises Malformed: the answer can not be read
    :raises CeremonyFailed: a check failed, or the operation takes no approval
    :raises PolicyRefused: the policy does not allow the passkey
    :raises InvalidApplication: unknown application
    """
    if application_id is None:
        application_id = await _application(ports, asked)
    context = await _context(ports, application_id)
    credential_id = b64encode(asked.answer.credential_id)
    found = await _find(ports, credential_id, application_id, asked.operation_id)
    if found.passkey is None and len(asked.answer.credential_id) > SHORT_ID:
        asked, found = await _find_special(ports, asked, found, context)
    decision = sign_in.decide(asked, found.passkey, found.operation, context)
    if not await _written(ports, found, decision, accepted):
        decision = await _under_locks(ports, asked, found, context, accepted)
    if decision.refusal is not None:
        raise decision.refusal
    return _approved(decision)


def _parts(collected: ClientData) -> tuple[str, str]:
    try:
        operation_id, mark, data = collected.challenge.decode().partition("&")
    except UnicodeDecodeError:
        raise CeremonyFailed(CeremonyReason.CHALLENGE) from None
    if not mark:
        raise CeremonyFailed(CeremonyReason.CHALLENGE)
    return operation_id, data


async def _context(ports: Ports, application_id: str) -> Context:
    rules = await rules_of(ports, application_id)
    models = await ports.authenticator_models.table()
    return Context(ports.settings, ports.cipher, rules, rules.facts_of_sign_in(ports), models)


async def _application(ports: Ports, asked: SignIn) -> str:
    """The application of the operation in which the user of the answer's handle has an active passkey of its
    id.

    :raises CeremonyFailed: CREDENTIAL_ID: there is none, or more than one
    """
    operation = await operation_reads.find(ports.database.fetch, asked.operation_id)
    applications = () if operation is None else operation.applications
    credential_id = b64encode(asked.answer.credential_id)
    found = await reads.by_credential(ports.database.fetch, ports.row_macs, credential_id, applications)
    handle = asked.answer.user_handle or b""
    named = [one.application_id for one in found if one.status is ACTIVE and one.is_of(handle)]
    if len(named) != 1:
        raise CeremonyFailed(CeremonyReason.CREDENTIAL_ID)
    return named[0]


async def _find(ports: Ports, credential_id: str, application_id: str, operation_id: str) -> Found:
    if ports.sign_in_writer.writes:
        return await ports.sign_in_writer.find(credential_id, [application_id], operation_id)
    named = await reads.by_credential(ports.database.fetch, ports.row_macs, credential_id, [application_id])
    operation = await operation_reads.find(ports.database.fetch, operation_id)
    return Found(named[0] if len(named) == 1 else None, operation=operation)


async def _find_special(
    ports: Ports, asked: SignIn, unknown: Found, context: Context
) -> tuple[SignIn, Found]:
    """The special model sends more than its credential id."""
    short = asked.answer.credential_id[:SHORT_ID]
    application_id = context.rules.known.application_id
    found = await _find(ports, b64encode(short), application_id, asked.operation_id)
    model = None if found.passkey is None else context.models.get(str(found.passkey.extras.aaguid))
    if model is None or not model.signs_operation:
        return asked, unknown
    return replace(asked, answer=replace(asked.answer, credential_id=short)), found


async def _written(ports: Ports, found: Found, decision: Decision, accepted: Accepted | None) -> bool:
    """Write a decision without locks, if that is possible and nobody else has to hear of the passkey."""
    if not ports.sign_in_writer.writes or accepted is not None or decision.blocked_for is not None:
        return False
    return await ports.sign_in_writer.write(Write(found, decision, clock.now()))


async def _under_locks(
    ports: Ports, asked: SignIn, found: Found, context: Context, accepted: Accepted | None
) -> Decision:
    """Decide anew on what is there under locks, in the order of D9, and write it."""
    async with ports.database.transaction() as session:
        known = found.passkey
        # Of a passkey that nobody has too: it costs what a wrong signature costs.
        locked = await activations.lock(session, _NOBODY if known is None else known.activation_id)
        operation = await operations.lock(session, ports.database.dialect, asked.operation_id)
        current = None if locked is None or known is None else passkey(locked, known.application_id)
        decision = sign_in.decide(asked, current, operation, context)
        if locked is not None and decision.changes_passkey:
            await _change(ports, session, locked, decision)
        if decision.transition is not None:
            await write(ports.listeners, session, decision.transition)
        additions = Additions.of(session)
        user_id = None if current is None else current.user_id
        for record in decision.records:
            monitoring.put(additions, record.message, record.params, user_id, record.level)
        await additions.write(session)
        if accepted is not None and decision.refusal is None:
            await accepted(session, _approved(decision))
    return decision


async def _change(ports: Ports, session: AsyncSession, locked: Activation, decision: Decision) -> None:
    if decision.counter is not None:
        locked.counter = stored_counter(decision.counter)
    if decision.extras is not None:
        locked.extras = decision.extras.encoded()
    locked.failed_attempts = decision.failed_attempts
    locked.timestamp_last_used = clock.now()
    if decision.blocked_for is not None:
        previous = locked.activation_status
        locked.activation_status, locked.blocked_reason = BLOCKED, decision.blocked_for
        await ports.changes.record(session, locked, previous_status=previous)
    await session.flush()


def _approved(decision: Decision) -> Approved:
    assert decision.passkey is not None
    assert decision.transition is not None
    assert decision.asserted is not None
    return Approved(
        decision.passkey,
        decision.transition.operation,
        decision.asserted.flags,
        decision.signature_type,
    )


async def _passkeys(
    ports: Ports, user_id: str | None, application_ids: Sequence[str]
) -> list[tuple[Passkey, Model | None]]:
    if user_id is None:
        return []
    models = await ports.authenticator_models.table()
    found = await reads.of_user(ports.database.fetch, ports.row_macs, user_id, application_ids)
    return [(one, models.get(str(one.extras.aaguid))) for one in found]
