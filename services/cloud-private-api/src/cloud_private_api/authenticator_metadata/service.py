"""Use cases of the metadata of authenticators (spec/device-trust.md §4.11)."""

from __future__ import annotations

from cloud_private_api.core_client import CoreClient
from cloud_private_api.core_errors import Area, CoreCode, in_area
from cloud_private_api.errors import MetadataInvalid, MetadataRollback
from powerauth_contracts.cloud.mds import (
    MetadataEntries,
    MetadataImpact,
    MetadataLoaded,
    MetadataOffer,
    MetadataStatus,
)
from powerauth_contracts.rest import mds as contract
from powerauth_contracts.texts import CoreRefused

_UNREADABLE = "FORM"


@in_area(Area.ADMIN)
async def load(core: CoreClient, blob: bytes, loaded_by: str, *, dry_run: bool) -> MetadataLoaded:
    """Put a BLOB in force, or say what that would do.

    :raises MetadataInvalid: it is not the publisher's, or metadata comes from elsewhere
    :raises MetadataRollback: it is older than the one in force
    """
    if not blob.strip() or not blob.isascii():
        raise MetadataInvalid(_UNREADABLE)
    try:
        text = blob.decode("ascii").strip()
        made = await core.ask(contract.LOAD, blob=text, loaded_by=loaded_by, dry_run=dry_run)
    except CoreRefused as refused:
        if refused.code == CoreCode.MDS_INVALID:
            raise MetadataInvalid(str(refused.details.get("reason"))) from None
        if refused.code == CoreCode.MDS_ROLLBACK:
            raise MetadataRollback from None
        raise
    return MetadataLoaded(
        no=made.no,
        next_update=made.next_update,
        entries=made.entries,
        added=made.added,
        changed=made.changed,
        revoked=made.revoked,
        revoked_aaguids=made.revoked_aaguids,
        warnings=made.warnings,
        impact=None if made.impact is None else _impact(made.impact),
    )


@in_area(Area.ADMIN)
async def status(core: CoreClient) -> MetadataStatus:
    """The BLOB in force, and what was offered lately."""
    found = await core.ask(contract.STATUS)
    return MetadataStatus(
        source=found.source,
        state=found.state,
        no=found.no,
        next_update=found.next_update,
        entries=found.entries,
        warnings=found.warnings,
        unreadable_files=found.unreadable_files,
        history=[_offer(one) for one in found.history],
    )


@in_area(Area.ADMIN)
async def entries(core: CoreClient, aaguid: str | None) -> MetadataEntries:
    """Models that the BLOB in force names.

    :param aaguid: AAGUID, AAID or key identifier; None: all, without their statements
    """
    found = await core.ask(contract.ENTRIES, aaguid=aaguid)
    return MetadataEntries(entries=found.entries)


def _impact(told: contract.MdsImpact) -> MetadataImpact:
    return MetadataImpact(
        checked=told.checked,
        invalidated=told.invalidated,
        restored=told.restored,
        users_affected=told.users_affected,
        sample_user_ids=told.sample_user_ids,
    )


def _offer(told: contract.MdsOffer) -> MetadataOffer:
    return MetadataOffer(
        no=told.no,
        next_update=told.next_update,
        sha256=told.sha256,
        source=told.source,
        timestamp_loaded=told.loaded_at,
        loaded_by=told.loaded_by,
        status=told.status,
        error=told.error,
    )
