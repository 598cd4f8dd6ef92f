"""Taking metadata, or counting what it would do to passkeys (spec/device-trust.md §4.11)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from powerauth_core.fido_metadata import service
from powerauth_core.fido_metadata.service import Offer, Taken
from powerauth_core.kernel.errors import MdsInvalid
from powerauth_core.passkey_revalidation.batches import judged, places
from powerauth_core.passkey_revalidation.ports import Ports
from powerauth_core.passkey_revalidation.rules import Step
from powerauth_core.passkeys.metadata.entries import Metadata
from powerauth_core.passkeys.refusals import MetadataRefused

UPLOAD = "UPLOAD"
_SAMPLE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Impact:
    """What the daily look would do, in numbers.

    :ivar checked: passkeys that it would look at
    :ivar users_affected: users who would lose one
    """

    checked: int = 0
    invalidated: int = 0
    restored: int = 0
    users_affected: int = 0
    sample_user_ids: tuple[str, ...] = ()


async def load(ports: Ports, content: bytes, loaded_by: str) -> Taken:
    """Put an uploaded BLOB in force.

    :raises MdsInvalid: SOURCE: metadata comes from elsewhere here; others and `MdsRollback` as
        `service.load`
    """
    if ports.settings.mds_source != UPLOAD:
        raise MdsInvalid("SOURCE")
    return await service.load(ports, Offer(content, UPLOAD, loaded_by))


async def try_out(ports: Ports, content: bytes) -> tuple[Taken, Impact]:
    """What `load` would come to, and the daily look after it; nothing is stored.

    :raises MdsInvalid: as `load`; `MdsRollback` likewise
    """
    try:
        found, difference = await service.judged(ports, content)
    except MetadataRefused as refused:
        raise service.error_of(refused) from None
    if found is None or difference is None:
        return service.in_force(ports.fido_metadata), Impact()
    return service.taken_of(found, difference), await _impact(ports, found.metadata)


async def _impact(ports: Ports, metadata: Metadata) -> Impact:
    checked, steps, users = 0, Counter[Step](), set[str]()
    async for place in places(ports, metadata):
        found = await judged(ports.database, place)
        checked += found.checked
        steps.update(change.step for change in found.changes.values())
        users.update(
            one.user_id
            for one in place.passkeys
            if (change := found.changes.get(one.activation_id)) is not None
            and change.step is Step.INVALIDATED
        )
    return Impact(
        checked=checked,
        invalidated=steps[Step.INVALIDATED],
        restored=steps[Step.RESTORED],
        users_affected=len(users),
        sample_user_ids=tuple(sorted(users)[:_SAMPLE]),
    )
