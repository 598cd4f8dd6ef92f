"""What a device does with its own activation by a signature over an open body."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.dmz.models import (
    REQUEST_INVALID,
    ActivationActionAnswer,
    SignedAnswer,
    SignedRequest,
    TokenRemoveAnswer,
)
from powerauth_contracts.dmz.table import ACTIVATION_REMOVE, TOKEN_REMOVE, UPGRADE_COMMIT
from powerauth_contracts.wire import ExactText, ObjectRequest, RequestModel
from powerauth_core.activations import administration
from powerauth_core.dmz import signed
from powerauth_core.dmz.ports import Ports
from powerauth_core.providers import plug_ins as providers
from powerauth_core.tokens import service as tokens
from powerauth_core.upgrade import service as upgrade
from powerauth_core.verification.jobs import Decision, LockedActivation


class RemoveTokenBody(RequestModel):
    """Signed body of ``/pa/token/remove``."""

    token_id: ExactText = Field(min_length=1, max_length=37)


@dataclass(frozen=True, slots=True)
class RemovedToken:
    """Outcome of `RemoveToken`."""

    token_id: str
    removed: bool


class RemoveToken(signed.DoorAction):
    """Removes a token of the signing activation."""

    def __init__(self, body: RemoveTokenBody | None) -> None:
        self.body = body

    async def accepted(
        self, session: AsyncSession, activation: LockedActivation, decision: Decision
    ) -> RemovedToken | None:
        """Whether the token was there; None if the body is unusable."""
        if self.body is None:
            return None
        removed = await tokens.remove(
            session, self.body.token_id, activation.activation_id, activation.user_id
        )
        return RemovedToken(self.body.token_id, removed)


class RemoveActivation(signed.DoorAction):
    """Removes the signing activation."""

    def __init__(self, ports: Ports, *, revoke_recovery_codes: bool) -> None:
        self.ports = ports
        self.revoke_recovery_codes = revoke_recovery_codes

    async def accepted(self, session: AsyncSession, activation: LockedActivation, decision: Decision) -> None:
        """Remove it; the user asked for it by signing."""
        entity = await signed.entity_of(session, activation)
        await administration.remove_locked(
            self.ports.changes, session, entity, revoke_recovery_codes=self.revoke_recovery_codes
        )


class CommitUpgrade(signed.DoorAction):
    """Kept for wire compatibility: there are no upgrades, so it is refused (D8)."""

    async def accepted(self, session: AsyncSession, activation: LockedActivation, decision: Decision) -> None:
        """Refused; the signature was checked and its counter step stays."""
        await upgrade.refuse(session, activation.activation_id)


async def remove_token(ports: Ports, request: SignedRequest) -> TokenRemoveAnswer:
    """``signed/token/remove``; another activation's token stays and is answered like an unknown one."""
    body = signed.read_body(request)
    try:
        named = ObjectRequest[RemoveTokenBody].model_validate_json(body).request_object
    except ValidationError:
        named = None
    header = request.header.header()
    verified = await signed.check(ports.verifier, header, body, TOKEN_REMOVE.purpose, RemoveToken(named))
    if verified is None or not verified.valid:
        return TokenRemoveAnswer(authenticated=False)
    removed: RemovedToken | None = verified.answer
    if removed is None:
        return TokenRemoveAnswer(authenticated=True, refusal=REQUEST_INVALID)
    return TokenRemoveAnswer(authenticated=True, token_id=removed.token_id, removed=removed.removed)


async def remove(ports: Ports, request: SignedRequest) -> ActivationActionAnswer:
    """``signed/activation/remove``.

    :raises ActivationRefused: the custom provider did not answer
    """
    header, body = request.header.header(), signed.read_body(request)
    # Whatever cannot be a removal is not worth a question.
    if header is None or not ACTIVATION_REMOVE.purpose.may_sign(header):
        return ActivationActionAnswer(authenticated=False)
    revoke = await providers.revokes_recovery_codes(ports, header.activation_id)
    action = RemoveActivation(ports, revoke_recovery_codes=revoke)
    verified = await signed.check(ports.verifier, header, body, ACTIVATION_REMOVE.purpose, action)
    if verified is None or not verified.valid or verified.activation is None:
        return ActivationActionAnswer(authenticated=False)
    removed = verified.activation
    await providers.announce_removal(ports, removed.activation_id, removed.user_id, removed.application_id)
    return ActivationActionAnswer(authenticated=True, activation_id=removed.activation_id)


async def commit_upgrade(ports: Ports, request: SignedRequest) -> SignedAnswer:
    """``signed/upgrade/commit``.

    :raises IncorrectActivationState: the signature was right; no activation can be upgraded (D8)
    """
    header, body = request.header.header(), signed.read_body(request)
    verified = await signed.check(
        ports.verifier, header, body, UPGRADE_COMMIT.purpose, CommitUpgrade(), force_hash_counter=True
    )
    return SignedAnswer(authenticated=verified is not None and verified.valid)
