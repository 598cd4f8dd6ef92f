"""What this room uses of a running service."""

from __future__ import annotations

from typing import Protocol

from powerauth_push.applications.known import ApplicationNumbers
from powerauth_push.parts import WithCipher, WithCore, WithDatabase, WithSettings


class CredentialsListener(Protocol):
    """Hears in this process that credentials have changed."""

    def forget(self, rid: int) -> None:
        """Read the application's credentials again before they are next used."""


class WithApplications(Protocol):
    """Has `applications`."""

    @property
    def applications(self) -> ApplicationNumbers: ...


class Ports(WithDatabase, WithSettings, WithCipher, WithCore, WithApplications, Protocol):
    """What use cases of this room take."""

    @property
    def senders(self) -> CredentialsListener: ...
