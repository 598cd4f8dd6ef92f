"""What users do with their own passkeys (spec/device-trust.md §4.9)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations import administration
from powerauth_core.activations import repository as activations
from powerauth_core.activations.models import Activation
from powerauth_core.jwt.verification import Bearer, bearer
from powerauth_core.kernel.passkey_errors import PasskeyNotFound
from powerauth_core.passkey_records import reads
from powerauth_core.passkey_records.stored import Passkey
from powerauth_core.passkey_sessions.policies import policy_within
from powerauth_core.passkey_sessions.ports import Ports
from powerauth_core.passkeys import evaluation
from powerauth_core.passkeys.classification import PasskeyType
from powerauth_core.passkeys.refusals import PolicyCode
from servicekit.database import fetch_within

SCOPE: Final = "passkey:manage"
MAX_AGE: Final = 600
"""Seconds since the sign-in of a token that passkeys are managed with."""


@dataclass(frozen=True, slots=True)
class Own:
    """A passkey as its user sees it.

    :ivar blocked_by: what the policy would say to its next sign-in
    """

    passkey: Passkey
    type: PasskeyType
    blocked_by: PolicyCode | None


async def list_own(ports: Ports, token: str) -> list[Own]:
    """The passkeys of a token's user in its application, newest first.

    :raises AccessTokenInvalid: the token is not accepted
    :raises FeatureDisabled: the application has no passkeys in browsers any more
    """
    async with ports.database.read() as session:
        owner = await bearer(ports, session, token, SCOPE, MAX_AGE)
        known = await policy_within(ports, session, owner.application_id)
        found = await _of(ports, session, owner)
    synced = ports.fido_metadata.known_synced
    return [
        Own(one, type_of(ports, one), evaluation.blocked_by(known.policy, one.stored, synced))
        for one in found
    ]


def type_of(ports: Ports, passkey: Passkey) -> PasskeyType:
    """Whether a passkey is synchronised, as far as is known today."""
    return passkey.stored.classified(ports.fido_metadata.known_synced).type


async def rename(ports: Ports, token: str, activation_id: str, name: str) -> None:
    """Give one of them another name.

    :raises AccessTokenInvalid: the token is not accepted
    :raises PasskeyNotFound: none of the user's
    :raises IncorrectActivationState: it is blocked
    """
    async with ports.database.transaction() as session:
        activation = await _locked(ports, session, token, activation_id)
        await administration.rename_locked(ports.changes, session, activation, name)


async def remove(ports: Ports, token: str, activation_id: str) -> None:
    """Take one of them away.

    :raises AccessTokenInvalid: the token is not accepted
    :raises PasskeyNotFound: none of the user's
    """
    async with ports.database.transaction() as session:
        activation = await _locked(ports, session, token, activation_id)
        await administration.remove_locked(ports.changes, session, activation)


async def _locked(ports: Ports, session: AsyncSession, token: str, activation_id: str) -> Activation:
    owner = await bearer(ports, session, token, SCOPE, MAX_AGE)
    found = await _of(ports, session, owner)
    if activation_id not in {one.activation_id for one in found}:
        raise PasskeyNotFound()
    activation = await activations.lock(session, activation_id)
    if activation is None:
        raise PasskeyNotFound()
    return activation


async def _of(ports: Ports, session: AsyncSession, owner: Bearer) -> list[Passkey]:
    fetch = partial(fetch_within, session)
    return await reads.of_user(fetch, ports.row_macs, owner.user_id, [owner.application_id])
