"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.applications.ports import WithApplications
from powerauth_core.kernel.ports import WithCipher, WithDatabase, WithListeners, WithRowMacs, WithSettings
from powerauth_core.operations.creator import OperationCreator
from powerauth_core.templates.ports import WithTemplates


class Ports(WithDatabase, WithSettings, WithCipher, WithListeners, WithApplications, Protocol):
    """What use cases of this room take."""


class ReadingPorts(Ports, WithRowMacs, Protocol):
    """What hot reads take."""


class CreationPorts(ReadingPorts, WithTemplates, Protocol):
    """What making an operation takes."""

    @property
    def operation_creator(self) -> OperationCreator: ...
