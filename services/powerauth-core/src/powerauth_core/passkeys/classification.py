"""Whether a passkey is synchronised: by its flag, and by what is known of its provider
(spec/device-trust.md §4.6).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any

from powerauth_core.passkeys.refusals import Malformed


class PasskeyType(StrEnum):
    """UNKNOWN: stored before the flag was recorded, taken as device-bound until the next sign-in."""

    SYNCED = "SYNCED"
    DEVICE_BOUND = "DEVICE_BOUND"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class KnownSynced:
    """A provider that synchronises without saying so.

    :ivar since: registrations from then on, None: all before; `until` likewise
    """

    name: str
    since: datetime | None
    until: datetime | None

    def covers(self, registered_at: datetime) -> bool:
        """Whether the entry was in force at a registration."""
        return (self.since is None or self.since <= registered_at) and (
            self.until is None or registered_at < self.until
        )


KnownList = Mapping[uuid.UUID, KnownSynced]


@dataclass(frozen=True, slots=True)
class Classified:
    """A type, and what it rests on: ``be``, ``list`` or nothing."""

    type: PasskeyType
    synced_by: str | None = None


def classify(
    backup_eligible: bool | None, aaguid: uuid.UUID, registered_at: datetime, known: KnownList
) -> Classified:
    """The type of a passkey, from its stored flag and the list of today; never stored itself."""
    if backup_eligible:
        return Classified(PasskeyType.SYNCED, "be")
    if (entry := known.get(aaguid)) is not None and entry.covers(registered_at):
        return Classified(PasskeyType.SYNCED, "list")
    return Classified(PasskeyType.UNKNOWN if backup_eligible is None else PasskeyType.DEVICE_BOUND)


@cache
def shipped() -> KnownList:
    """The list that the core comes with."""
    return read(files(__package__).joinpath("known-synced.json").read_text(encoding="utf-8"))


def read(text: str, base: KnownList | None = None) -> KnownList:
    """Read a list.

    :param base: the list that it extends; a row with ``remove`` takes one out of it
    :raises Malformed: it is none
    """
    try:
        return _merged(json.loads(text), dict(base or {}))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Malformed("file of known synced providers") from None


def _merged(rows: Iterable[Mapping[str, Any]], known: dict[uuid.UUID, KnownSynced]) -> KnownList:
    for row in rows:
        aaguid = uuid.UUID(row["aaguid"])
        if row.get("remove") is True:
            known.pop(aaguid, None)
        else:
            known[aaguid] = KnownSynced(row["name"], _day(row.get("since")), _day(row.get("until")))
    return known


def _day(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
