"""Counting whom a change takes passkeys from (spec/device-trust.md §4.13).

Passkeys stream by in batches. Of each batch only the users whom the change affects are looked at closer, in
two further reads, so that memory stays as it is however many passkeys there are.
"""

from __future__ import annotations

from collections.abc import Sequence

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.passkey_administration import reads
from powerauth_core.passkey_administration.figures import Figures, Tally
from powerauth_core.passkey_administration.ports import CountingPorts
from powerauth_core.passkey_administration.rules import Change
from powerauth_core.passkey_records import reads as records
from powerauth_core.passkey_records.stored import Passkey


async def figures(ports: CountingPorts, application_id: str, change: Change) -> Figures:
    """What a change takes from the users of an application."""
    tally = Tally(change)
    async for batch in records.batches(ports.database.fetch, ports.row_macs, application_id):
        taken = tally.add(one for one in batch if one.status is ActivationStatus.ACTIVE)
        if taken:
            tally.add_users(*await _users(ports, application_id, change, taken))
    return tally.figures()


async def _users(
    ports: CountingPorts, application_id: str, change: Change, taken: Sequence[Passkey]
) -> tuple[list[str], set[str]]:
    """The users to count with these passkeys, and those of them who are locked out."""
    fetch = ports.database.fetch
    here = {one.activation_id for one in taken}
    theirs = await reads.passkeys_of(fetch, ports.row_macs, application_id, {one.user_id for one in taken})
    # With one of their passkeys, wherever the others stand among the batches.
    users = [user for user, owned in theirs.items() if _counted_with(change, owned) in here]
    without = [user for user in users if all(change.stops(one) for one in theirs[user])]
    return users, set(without) - await reads.with_phone(fetch, application_id, without)


def _counted_with(change: Change, owned: Sequence[Passkey]) -> str | None:
    return min((one.activation_id for one in owned if change.takes(one) is not None), default=None)
