"""Data files of passkeys, shipped ones and those that settings name (spec/device-trust.md §4.6, §4.10,
§4.11).

What can not be read takes nothing away: what was in force before it stays, and health says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar

from powerauth_core.passkeys import classification
from powerauth_core.passkeys.attestation import roots
from powerauth_core.passkeys.attestation.roots import Root
from powerauth_core.passkeys.classification import KnownList
from powerauth_core.passkeys.refusals import Malformed
from powerauth_core.settings import CoreSettings
from servicekit.logs import get_logger

Content = TypeVar("Content")

LOCAL_ROOTS: Final = "localRootsFile"
KNOWN_SYNCED: Final = "knownSyncedFile"
ANDROID_REVOCATION: Final = "androidRevocationFile"
LOCAL_STATEMENTS: Final = "localStatementsDir"

FILE_LIMIT: Final = 32 * 1024 * 1024
"""Bytes of one file that are read."""

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFiles:
    """What the files say.

    :ivar roots: named local roots
    :ivar revoked_serials: of Android's certificates, lower-case hexadecimal
    :ivar statements: metadata statements trusted by configuration
    :ivar digests: SHA-256 by name of what the settings name, None: it can not be read
    :ivar problems: names of those whose content is not in force
    """

    roots: tuple[Root, ...]
    known_synced: KnownList
    revoked_serials: frozenset[str] = frozenset()
    statements: tuple[object, ...] = ()
    digests: Mapping[str, str | None] = field(default_factory=dict)
    problems: frozenset[str] = frozenset()


def shipped() -> DataFiles:
    """What is in force without any setting."""
    return DataFiles(roots=roots.shipped(), known_synced=classification.shipped())


def signature(settings: CoreSettings) -> tuple[object, ...]:
    """What changes when a file does: sizes and times of all of them."""
    named = [path for path in _paths(settings).values() if path is not None]
    found = [one for path in named for one in (_inside(path) if path.is_dir() else [path])]
    return tuple(map(_mark, found))


def read(settings: CoreSettings, before: DataFiles | None = None) -> DataFiles:
    """Read all of them.

    :param before: what was in force, and stays so where a file can not be read
    """
    base, known, paths = shipped(), before or shipped(), _paths(settings)
    digests: dict[str, str | None] = {}
    problems: set[str] = set()

    def of(name: str, parse: Callable[[bytes], Content], kept: Content, without: Content) -> Content:
        path = paths[name]
        if path is None:
            return without
        try:
            content = _content(path)
            digests[name] = hashlib.sha256(content).hexdigest()
            return parse(content)
        except (OSError, Malformed, UnicodeDecodeError) as error:
            digests.setdefault(name, None)
            problems.add(name)
            _log.warning("data file of passkeys not usable", file=name, error=type(error).__name__)
            return kept

    found = replace(
        base,
        roots=of(LOCAL_ROOTS, lambda text: roots.read(text.decode(), base.roots), known.roots, base.roots),
        known_synced=of(
            KNOWN_SYNCED,
            lambda text: classification.read(text.decode(), base.known_synced),
            known.known_synced,
            base.known_synced,
        ),
        revoked_serials=of(ANDROID_REVOCATION, revoked_serials, known.revoked_serials, frozenset()),
        statements=of(LOCAL_STATEMENTS, _statements, known.statements, ()),
    )
    return replace(found, digests=digests, problems=frozenset(problems))


def revoked_serials(content: bytes) -> frozenset[str]:
    """Serial numbers on Google's list, whatever their status.

    :raises Malformed: it is no such list
    """
    try:
        entries: dict[str, object] = json.loads(content)["entries"]
        return frozenset(serial.lower().lstrip("0") for serial in entries.keys())  # noqa: SIM118 - no list
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Malformed("list of revoked serial numbers") from None


@lru_cache(maxsize=256)
def own_roots(pems: tuple[str, ...]) -> tuple[Root, ...]:
    """``fido2_root_ca_certs`` of an application; what is no certificate is left out, as in the original."""
    found: list[Root] = []
    for pem in pems:
        try:
            found += roots.of_application([pem])
        except Malformed:
            _log.warning("root of an application can not be read")
    return tuple(found)


def _paths(settings: CoreSettings) -> dict[str, Path | None]:
    return {
        LOCAL_ROOTS: settings.passkey_local_roots_file,
        KNOWN_SYNCED: settings.passkey_known_synced_file,
        ANDROID_REVOCATION: settings.passkey_android_revocation_file,
        LOCAL_STATEMENTS: settings.mds_local_statements_directory,
    }


def _inside(directory: Path) -> Sequence[Path]:
    return sorted(directory.glob("*.json"))


def _mark(path: Path) -> tuple[object, ...]:
    try:
        found = path.stat()
    except OSError:
        return (path, None, None)
    return (path, found.st_mtime_ns, found.st_size)


def _content(path: Path) -> bytes:
    """A file; of a directory its files as one JSON array."""
    if path.is_dir():
        return b"[" + b",".join(_bounded(one) for one in _inside(path)) + b"]"
    return _bounded(path)


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(FILE_LIMIT + 1)
    if len(content) > FILE_LIMIT:
        raise Malformed(path.name)
    return content


def _statements(content: bytes) -> tuple[Any, ...]:
    try:
        return tuple(json.loads(content))
    except (ValueError, RecursionError):
        raise Malformed("metadata statement") from None
