"""HTTP of what is known of metadata; taking it stands with what it does to passkeys
(`powerauth_core.passkey_revalidation`).
"""

from __future__ import annotations

from powerauth_contracts.rest import mds as contract
from powerauth_core.fido_metadata import service
from powerauth_core.fido_metadata.models import MdsBlob
from powerauth_core.fido_metadata.ports import Ports
from powerauth_core.kernel.call_routes import CallRouter

router = CallRouter("FIDO metadata")


@router.answers(contract.STATUS)
async def status(ports: Ports, _: None) -> contract.MdsStatusAnswer:
    found = await service.status(ports)
    return contract.MdsStatusAnswer(
        source=found.source,
        state=found.age.value,
        no=found.no,
        next_update=None if found.next_update is None else found.next_update.isoformat(),
        entries=found.entries,
        warnings=list(found.warnings),
        unreadable_files=list(found.problems),
        history=[_offer(row) for row in found.history],
    )


@router.answers(contract.ENTRIES)
async def entries(ports: Ports, asked: contract.MdsEntriesRequest) -> contract.MdsEntriesAnswer:
    return contract.MdsEntriesAnswer(entries=await service.entries(ports, asked.aaguid))


def _offer(row: MdsBlob) -> contract.MdsOffer:
    return contract.MdsOffer(
        no=row.no,
        next_update=None if row.next_update is None else row.next_update.isoformat(),
        sha256=row.sha256,
        source=row.source,
        loaded_at=row.loaded_at,
        loaded_by=row.loaded_by,
        status=row.status,
        error=row.error,
    )
