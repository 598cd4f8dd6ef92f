"""Entries of a stored BLOB as its publisher wrote them, for people to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from powerauth_protocol.common.encoding import b64url_decode
from powerauth_protocol.common.json_text import read_json

_STATEMENT: Final = "metadataStatement"
_STATUS: Final = "statusReports"
_NAMES: Final = ("aaguid", "aaid", "attestationCertificateKeyIdentifiers")
_LEFT_OUT: Final = frozenset({"icon", "iconDark", "providerLogoLight", "providerLogoDark", "friendlyNames"})
"""Pictures, most of a BLOB's bytes."""


def entries(blob: bytes, name: str | None) -> list[dict[str, Any]]:
    """Entries of a BLOB that was verified when it was stored; costs a tenth of a second.

    :param name: AAGUID, AAID or key identifier; None: all, without statements
    """
    payload: Any = read_json(b64url_decode(blob.split(b".")[1].decode("ascii")))
    found = [entry for entry in payload["entries"] if isinstance(entry, dict)]
    if name is None:
        return [_summary(entry) for entry in found]
    asked = name.lower()
    return [_readable(entry) for entry in found if asked in _names(entry)]


def _names(entry: Mapping[str, Any]) -> Iterator[str]:
    for named in map(entry.get, _NAMES):
        for name in named if isinstance(named, list) else [named]:
            if isinstance(name, str):
                yield name.lower()


def _summary(entry: Mapping[str, Any]) -> dict[str, Any]:
    reports = entry.get(_STATUS) or []
    rest = {name: value for name, value in entry.items() if name not in (_STATEMENT, _STATUS)}
    return rest | {
        "description": (entry.get(_STATEMENT) or {}).get("description"),
        "status": [report.get("status") for report in reports if isinstance(report, dict)],
    }


def _readable(entry: Mapping[str, Any]) -> dict[str, Any]:
    statement = entry.get(_STATEMENT) or {}
    shown = {name: value for name, value in statement.items() if name not in _LEFT_OUT}
    return dict(entry) | {_STATEMENT: shown}
