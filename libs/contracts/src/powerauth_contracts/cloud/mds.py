"""Wire models of the metadata of authenticators (spec/device-trust.md §4.11)."""

from __future__ import annotations

from types import NoneType
from typing import Any, Final

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.wire import EpochMillis, WireModel

JOSE: Final = "application/jose"
"""Content type of a BLOB, which is the body itself."""


class MetadataImpact(WireModel):
    """What the daily look at stored attestations would do with a BLOB."""

    checked: int
    invalidated: int
    restored: int
    users_affected: int
    sample_user_ids: list[str]


class MetadataLoaded(WireModel):
    """The BLOB in force, or that would be; ``impact`` is that of a dry run."""

    no: int
    next_update: str
    entries: int
    added: int
    changed: int
    revoked: int
    revoked_aaguids: list[str]
    warnings: list[str]
    impact: MetadataImpact | None = None


class MetadataOffer(WireModel):
    """A BLOB that was offered."""

    no: int | None = None
    next_update: str | None = None
    sha256: str
    source: str
    timestamp_loaded: EpochMillis
    loaded_by: str
    status: str
    error: str | None = None


class MetadataStatus(WireModel):
    """The BLOB in force; ``state`` is ``NONE``, ``CURRENT``, ``STALE`` or ``UNUSABLE``."""

    source: str
    state: str
    no: int | None = None
    next_update: str | None = None
    entries: int
    warnings: list[str]
    unreadable_files: list[str]
    history: list[MetadataOffer]


class MetadataEntries(WireModel):
    """Entries as their publisher wrote them, without pictures."""

    entries: list[dict[str, Any]]


LOAD_METADATA = Endpoint("loadMetadata", "POST", "/admin/mds", NoneType, MetadataLoaded)
GET_METADATA = Endpoint("getMetadata", "GET", "/admin/mds", NoneType, MetadataStatus)
LIST_METADATA_ENTRIES = Endpoint(
    "listMetadataEntries", "GET", "/admin/mds/entries", NoneType, MetadataEntries
)
