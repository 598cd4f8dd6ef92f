"""Passkeys as administrators see and remove them (spec/device-trust.md §4.13)."""

from __future__ import annotations

from dataclasses import dataclass

from powerauth_contracts.enums import ActivationProtocol
from powerauth_core.activations import administration, repository
from powerauth_core.activations.repository import ApplicationIds
from powerauth_core.kernel.errors import ActivationNotFound, InvalidApplication
from powerauth_core.passkey_administration.ports import Ports
from powerauth_core.passkey_administration.rules import Side
from powerauth_core.passkey_administration.statistics import Statistics
from powerauth_core.passkey_records import reads as records
from powerauth_core.passkey_records.stored import Passkey
from powerauth_core.passkeys.classification import Classified
from powerauth_core.passkeys.refusals import PolicyCode


@dataclass(frozen=True, slots=True)
class Shown:
    """A passkey, and what is said of it today.

    :ivar blocked: what the policy of its application says to the next sign-in, if it refuses
    """

    passkey: Passkey
    type: Classified
    blocked: PolicyCode | None


async def of_user(ports: Ports, user_id: str, scope: ApplicationIds) -> list[Shown]:
    """Passkeys of a user that are ACTIVE or BLOCKED, newest first."""
    found = await records.of_user(ports.database.fetch, ports.row_macs, user_id, scope)
    sides = {name: await _side(ports, name) for name in {one.application_id for one in found}}
    known = ports.fido_metadata.known_synced
    return [Shown(one, one.stored.classified(known), sides[one.application_id].blocked(one)) for one in found]


async def remove(
    ports: Ports, *, activation_id: str, external_user_id: str | None, scope: ApplicationIds
) -> None:
    """Remove a passkey, whatever its state; removing it again succeeds again.

    :raises ActivationNotFound: unknown, or no passkey
    """
    async with ports.database.transaction() as session:
        activation = await repository.lock(session, activation_id, scope)
        if activation is None or activation.protocol != ActivationProtocol.FIDO2:
            raise ActivationNotFound
        await administration.remove_locked(
            ports.changes, session, activation, external_user_id=external_user_id
        )


async def statistics(ports: Ports, application_id: str) -> Statistics:
    """Numbers of an application's passkeys that are ACTIVE or BLOCKED.

    :raises InvalidApplication: unknown application
    """
    counted = Statistics(await _side(ports, application_id))
    async for batch in records.batches(ports.database.fetch, ports.row_macs, application_id):
        counted.add(batch)
    return counted


async def _side(ports: Ports, application_id: str) -> Side:
    policy = await ports.passkey_policies.of(ports.database, application_id)
    if policy is None:
        raise InvalidApplication
    return Side(policy.policy, ports.fido_metadata.known_synced)
