"""The parts of a running core that rooms use, a small protocol for each.

A function takes the parts that it uses. Where these are many it takes the `Ports` of its room, which name
them; a running core (`powerauth_core.container`) has them all, and no room knows it.
"""

from __future__ import annotations

from typing import Protocol

from powerauth_core.kernel.changes import Listeners
from powerauth_core.kernel.egress import Egress
from powerauth_core.kernel.hashing import PasswordHashes
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.settings import CoreSettings
from servicekit.database import Database
from servicekit.replicas import Reader
from servicekit.row_macs import RowMacs


class WithDatabase(Protocol):
    """Has `database`."""

    @property
    def database(self) -> Database: ...


class WithReading(Protocol):
    """Has `reading`, for what may be a little old."""

    @property
    def reading(self) -> Reader: ...


class WithSettings(Protocol):
    """Has `settings`."""

    @property
    def settings(self) -> CoreSettings: ...


class WithCipher(Protocol):
    """Has `cipher`."""

    @property
    def cipher(self) -> RecordCipher: ...


class WithRowMacs(Protocol):
    """Has `row_macs`."""

    @property
    def row_macs(self) -> RowMacs: ...


class WithHashes(Protocol):
    """Has `hashes`."""

    @property
    def hashes(self) -> PasswordHashes: ...


class WithEgress(Protocol):
    """Has `egress`."""

    @property
    def egress(self) -> Egress: ...


class WithListeners(Protocol):
    """Has `listeners`."""

    @property
    def listeners(self) -> Listeners: ...
