"""Wire models of ``mds/**``: metadata of authenticators (spec/device-trust.md §4.11)."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field

from powerauth_contracts.calls import Call
from powerauth_contracts.fields import ExactRequiredText, FreeText, Switch
from powerauth_contracts.wire import CoreDateTime, RequestModel, WireModel

MOST_BYTES: Final = 32 * 1024 * 1024
"""Of a BLOB."""


class MdsLoadRequest(RequestModel):
    """A BLOB, a compact JWS, and who brings it; a dry run stores nothing."""

    blob: Annotated[ExactRequiredText, Field(max_length=MOST_BYTES)]
    loaded_by: FreeText | None = None
    dry_run: Switch = False


class MdsImpact(WireModel):
    """What the daily look at stored attestations would do with a BLOB: its passkeys and users, in numbers."""

    checked: int
    invalidated: int
    restored: int
    users_affected: int
    sample_user_ids: list[str]


class MdsLoadAnswer(WireModel):
    """The BLOB in force, or that would be: ``added``, ``changed`` and ``revoked`` count models.

    ``impact`` is that of a dry run.
    """

    no: int
    next_update: str
    entries: int
    added: int
    changed: int
    revoked: int
    revoked_aaguids: list[str]
    warnings: list[str]
    impact: MdsImpact | None


class MdsOffer(WireModel):
    """A BLOB that was offered; ``status`` is ``ACTIVE``, ``SUPERSEDED`` or ``REJECTED``."""

    no: int | None
    next_update: str | None
    sha256: str
    source: str
    loaded_at: CoreDateTime
    loaded_by: str
    status: str
    error: str | None


class MdsStatusAnswer(WireModel):
    """The BLOB in force; ``state`` is ``NONE``, ``CURRENT``, ``STALE`` or ``UNUSABLE``."""

    source: str
    state: str
    no: int | None
    next_update: str | None
    entries: int
    warnings: list[str]
    unreadable_files: list[str]
    history: list[MdsOffer]


class MdsEntriesRequest(RequestModel):
    """Which model: AAGUID, AAID or key identifier; none: all of them, without their statements."""

    aaguid: FreeText | None = None


class MdsEntriesAnswer(WireModel):
    """Entries as the publisher wrote them, without pictures."""

    entries: list[dict[str, Any]]


LOAD = Call("/rest/v3/mds/load", MdsLoadRequest, MdsLoadAnswer, "Put metadata of authenticators in force.")
STATUS = Call(
    "/rest/v3/mds/status", type(None), MdsStatusAnswer, "The metadata in force, and what was offered."
)
ENTRIES = Call("/rest/v3/mds/entries", MdsEntriesRequest, MdsEntriesAnswer, "Models that the metadata names.")
