"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.activations.history import ActivationChanges
from powerauth_core.activations.keys import ActivationKeyCache
from powerauth_core.activations.writing import ActivationWriter
from powerauth_core.applications.ports import WithApplications
from powerauth_core.kernel.ports import (
    WithCipher,
    WithDatabase,
    WithHashes,
    WithReading,
    WithRowMacs,
    WithSettings,
)


class WithChanges(Protocol):
    """Has `changes`."""

    @property
    def changes(self) -> ActivationChanges: ...


class WithActivationKeys(Protocol):
    """Has `activation_keys`."""

    @property
    def activation_keys(self) -> ActivationKeyCache: ...


class WithActivationWriter(Protocol):
    """Has `activation_writer`."""

    @property
    def activation_writer(self) -> ActivationWriter: ...


class Ports(
    WithDatabase,
    WithSettings,
    WithCipher,
    WithHashes,
    WithChanges,
    WithApplications,
    WithActivationKeys,
    Protocol,
):
    """What use cases of this room take."""


class ReadingPorts(Ports, WithRowMacs, Protocol):
    """The same for hot reads."""


class ListingPorts(Ports, WithReading, Protocol):
    """The same for what may be a little old."""


class WritingPorts(Ports, WithActivationWriter, Protocol):
    """The same for hot writes."""
