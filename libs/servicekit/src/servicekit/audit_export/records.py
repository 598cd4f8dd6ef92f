"""Records of an audit log, and what of them may leave (docs/audit.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic_core import from_json

_LONGEST = 512
_MOST = 20

SHOWN = frozenset(
    {
        "activationId",
        "activationFlag",
        "activationFlags",
        "activationIdMatches",
        "activationStatus",
        "activationVersion",
        "applicationId",
        "applications",
        "callbackId",
        "caller",
        "externalId",
        "failedAttempts",
        "failureCount",
        "id",
        "integrationId",
        "kind",
        "maxFailedAttempts",
        "maxFailureCount",
        "name",
        "note",
        "numberMatches",
        "operationType",
        "part",
        "platform",
        "proximityCheckResult",
        "reason",
        "signatureType",
        "signatureVersion",
        "status",
        "statusReason",
        "table",
        "template",
        "templateName",
        "tokenId",
        "type",
        "userId",
        "username",
        "valid",
    }
)
"""Members of a record's parameters that are exported. What a phone signed, signatures, counters, texts and
data of operations, names of devices and whatever a later release adds stay in the database."""


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One record.

    :ivar position: its place in the order of the log, never given twice; None: from before there were places
    :ivar moment: naive UTC
    :ivar level: ``INFO``, ``WARN`` …
    :ivar kind: what it is about, ``signature``, ``activation`` …
    :ivar subject: the user it is about, or who did it
    :ivar facts: the parameters that may leave
    :ivar address: of the client
    """

    position: int | None
    record_id: str
    moment: datetime
    level: str
    kind: str
    message: str
    subject: str | None
    facts: Mapping[str, Any]
    address: str | None


def exported(parameters: str | None) -> tuple[dict[str, Any], str | None]:
    """What of stored parameters may leave, and the client's address among them.

    :param parameters: a JSON object, or anything in a database of the original
    """
    try:
        members = from_json(parameters or "{}")
    except ValueError:
        return {}, None
    if not isinstance(members, dict):
        return {}, None
    facts = {name: _bounded(value) for name, value in members.items() if name in SHOWN and value is not None}
    return facts, _address(members.get("additionalInfo"))


def _bounded(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list):
        return [str(each)[:_LONGEST] for each in value[:_MOST]]
    return str(value)[:_LONGEST]


def _address(additional: Any) -> str | None:
    """Of a signature's additional facts: a list of keys and values."""
    pairs = additional if isinstance(additional, list) else []
    found = (each.get("value") for each in pairs if isinstance(each, dict) and each.get("key") == "ADDRESS")
    address = next(found, None)
    return address[:_LONGEST] if isinstance(address, str) else None
