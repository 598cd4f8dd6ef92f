"""The parts of a running service that rooms use, a small protocol for each.

A function takes the parts that it uses, or the `Ports` of its room (`ports.py`), which name them.
"""

from __future__ import annotations

from typing import Protocol

from powerauth_push.cipher import SecretCipher
from powerauth_push.core_client import CoreClient
from powerauth_push.settings import PushSettings
from servicekit.database import Database


class WithSettings(Protocol):
    """Has `settings`."""

    @property
    def settings(self) -> PushSettings: ...


class WithDatabase(Protocol):
    """Has `database`."""

    @property
    def database(self) -> Database: ...


class WithCore(Protocol):
    """Has `core`."""

    @property
    def core(self) -> CoreClient: ...


class WithCipher(Protocol):
    """Has `cipher`."""

    @property
    def cipher(self) -> SecretCipher: ...
