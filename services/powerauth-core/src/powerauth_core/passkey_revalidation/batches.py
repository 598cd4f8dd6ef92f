"""Stored attestations in batches, each judged in a thread (spec/device-trust.md §4.11)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.applications.config_keys import WEBAUTHN_API
from powerauth_core.kernel.errors import CoreError
from powerauth_core.passkey_policies.cache import ApplicationPolicy
from powerauth_core.passkey_records import reads
from powerauth_core.passkey_records import repository as records
from powerauth_core.passkey_records.models import Fido2Attestation
from powerauth_core.passkey_records.stored import Passkey
from powerauth_core.passkey_revalidation import repository, rules
from powerauth_core.passkey_revalidation.ports import Ports
from powerauth_core.passkey_revalidation.rules import Chain, Change, Step
from powerauth_core.passkeys.attestation.trust import Sources
from powerauth_core.passkeys.metadata.entries import Metadata
from powerauth_core.passkeys.policy import Policy
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.common.errors import EncodingError
from servicekit.database import Database
from servicekit.logs import get_logger

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """A batch of passkeys of an application, and what vouches for their models there."""

    application: str
    policy: Policy
    sources: Sources
    passkeys: Sequence[Passkey]

    @property
    def position(self) -> str:
        """Behind which the next batch begins."""
        return self.passkeys[-1].credential_id


@dataclass(slots=True)
class Judged:
    """What a batch comes to.

    :ivar changes: by the ids of their activations; `chains` likewise
    """

    checked: int
    changes: Mapping[str, Change]
    chains: Mapping[str, Chain]

    def count(self, step: Step) -> int:
        """How many change so."""
        return sum(change.step is step for change in self.changes.values())


async def places(
    ports: Ports, metadata: Metadata, application: str = "", position: str = ""
) -> AsyncIterator[Place]:
    """All batches.

    :param metadata: what they are to be judged by
    :param application: where to go on, and behind which credential id there
    """
    async with ports.database.read() as session:
        names = await repository.applications_with(session, WEBAUTHN_API)
    for name in (one for one in names if one >= application):
        found = await _policy(ports, name)
        if found is None or found.policy is None or not rules.looks_at(found.policy):
            continue
        sources = replace(ports.fido_metadata.sources(found.policy, found.upstream.roots), metadata=metadata)
        after = position if name == application else ""
        async for batch in reads.batches(ports.database.fetch, ports.row_macs, name, after=after):
            if batch:
                yield Place(name, found.policy, sources, batch)


async def _policy(ports: Ports, name: str) -> ApplicationPolicy | None:
    try:
        return await ports.passkey_policies.of(ports.database, name)
    except CoreError as error:
        _log.error("policy of passkeys can not be read", application=name, error_code=error.code)
        return None


async def judged(database: Database, place: Place) -> Judged:
    """Judge a batch, in a thread: signatures of chains are most of the work."""
    asked = [
        one
        for one in place.passkeys
        if one.status is ActivationStatus.ACTIVE and rules.concerns(one, place.sources)
    ]
    async with database.read() as session:
        stored = await records.attestations(session, [one.activation_id for one in asked])
    chains = {name: Chain(one.fmt, _certificates(one)) for name, one in stored.items()}

    def work() -> dict[str, Change]:
        found = (
            (one, rules.judge(place.policy, one, chains.get(one.activation_id), place.sources))
            for one in asked
        )
        return {one.activation_id: change for one, change in found if change is not None}

    return Judged(len(asked), await asyncio.to_thread(work), chains)


def _certificates(row: Fido2Attestation) -> list[bytes]:
    try:
        return [b64decode(one) for one in row.x5c]
    except EncodingError:
        return []
