"""HTTP of taking metadata (spec/device-trust.md §4.11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from powerauth_contracts.rest import mds as contract
from powerauth_core.kernel.call_routes import CallRouter

if TYPE_CHECKING:
    from powerauth_core.fido_metadata.service import Taken
    from powerauth_core.passkey_revalidation.loading import Impact
    from powerauth_core.passkey_revalidation.ports import Ports

router = CallRouter("FIDO metadata")

_NOBODY = "rest"


@router.answers(contract.LOAD)
async def load(ports: Ports, asked: contract.MdsLoadRequest) -> contract.MdsLoadAnswer:
    from powerauth_core.passkey_revalidation import loading  # noqa: PLC0415 - certificates: costs a start

    content = asked.blob.encode()
    if asked.dry_run:
        return _answer(*await loading.try_out(ports, content))
    return _answer(await loading.load(ports, content, asked.loaded_by or _NOBODY), None)


def _answer(taken: Taken, impact: Impact | None) -> contract.MdsLoadAnswer:
    return contract.MdsLoadAnswer(
        no=taken.no,
        next_update=taken.next_update.isoformat(),
        entries=taken.entries,
        added=taken.added,
        changed=taken.changed,
        revoked=len(taken.revoked),
        revoked_aaguids=list(taken.revoked),
        warnings=list(taken.warnings),
        impact=None if impact is None else _impact(impact),
    )


def _impact(impact: Impact) -> contract.MdsImpact:
    return contract.MdsImpact(
        checked=impact.checked,
        invalidated=impact.invalidated,
        restored=impact.restored,
        users_affected=impact.users_affected,
        sample_user_ids=list(impact.sample_user_ids),
    )
