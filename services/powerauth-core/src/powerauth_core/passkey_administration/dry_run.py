"""What other data files would take from users, before they are put in force (spec/device-trust.md §4.6)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from dataclasses import dataclass

from powerauth_core.applications import repository as applications
from powerauth_core.passkey_administration import impact
from powerauth_core.passkey_administration.figures import Figures
from powerauth_core.passkey_administration.ports import Ports
from powerauth_core.passkey_administration.rules import Change, Side
from powerauth_core.passkeys.classification import KnownList
from powerauth_core.passkeys.policy import Policy


@dataclass(frozen=True, slots=True)
class Files:
    """What data files say that are not in force yet.

    :ivar root_names: of the local roots
    """

    known_synced: KnownList
    root_names: Collection[str]


async def of_files(ports: Ports, proposed: Files) -> AsyncGenerator[tuple[str, Figures]]:
    """The figures of each application with a policy, by its public id.

    :raises CoreError: the policy of one can not be read
    """
    async with ports.database.read() as session:
        names = [row.name for row in await applications.list_all(session)]
    for name in names:
        found = await ports.passkey_policies.of(ports.database, name)
        if found is not None and found.policy is not None:
            before = Side(found.policy, ports.fido_metadata.known_synced)
            after = Side(_with(found.policy, proposed.root_names), proposed.known_synced)
            yield name, await impact.figures(ports, name, Change(before, after))


def _with(policy: Policy, root_names: Collection[str]) -> Policy:
    """A policy whose roots are those of them that there are: one that is gone vouches for nobody."""
    kept = tuple(name for name in policy.local_roots if name in root_names)
    return policy.model_copy(update={"local_roots": kept})
