"""Who sends for which application (spec/push-api.md §20).

Senders are made when they are first used, and anew when credentials change.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from powerauth_push.applications import repository
from powerauth_push.applications.models import AppCredentials
from powerauth_push.applications.secrets import Credentials, configured, credentials_of
from powerauth_push.cipher import SecretCipher, SecretUnreadable
from powerauth_push.dispatch.rules import NOT_CONFIGURED
from powerauth_push.providers.credentials import CredentialsRefused
from powerauth_push.providers.messages import Device, Message
from powerauth_push.providers.outcomes import Outcome, bad_credentials
from servicekit.database import Database
from servicekit.logs import get_logger

_log = get_logger(__name__)

_GRACE_SECONDS = 60.0
UNUSABLE = bad_credentials("credentials unusable")


class Sender(Protocol):
    """Sends for one application through one provider."""

    async def deliver(
        self,
        message: Message,
        device: Device,
        delivery: UUID,
        attempts_before: int = 0,
        *,
        at_most_once: bool = False,
    ) -> Outcome:
        """Send a message; ends in time, and never raises for what the other side does.

        :param delivery: of this message to this device, the same each time that it is tried
        :param attempts_before: that were made of it
        :param at_most_once: what may have arrived is not sent again
        """

    async def close(self, grace_seconds: float = 0.0) -> None:
        """Let what is under way end, then let go of connections."""


class SenderFactory(Protocol):
    """Makes senders."""

    def make(self, application: str, provider: str, credentials: Credentials) -> Sender:
        """A sender for an application.

        :raises CredentialsRefused: they are not to be used
        """

    async def close(self) -> None:
        """Let go of what senders share."""


@dataclass(slots=True)
class _Application:
    """What is known of one application.

    :ivar row: as it was read
    :ivar read_at: moment of :func:`time.monotonic`
    :ivar senders: those made so far, or why there is none
    """

    row: AppCredentials
    read_at: float
    senders: dict[str, Sender | Outcome] = field(default_factory=dict)

    @property
    def version(self) -> tuple[datetime | None, str | None]:
        """Changes with the credentials."""
        return self.row.timestamp_last_updated, self.row.row_mac


class Senders:
    """The senders of this process."""

    def __init__(
        self, database: Database, cipher: SecretCipher, factory: SenderFactory, refresh_seconds: float
    ) -> None:
        """:param refresh_seconds: how long others' changes of credentials may go unnoticed"""
        self._database = database
        self._cipher = cipher
        self._factory = factory
        self._refresh_seconds = refresh_seconds
        self._known: dict[int, _Application] = {}
        self._reading = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    async def of(self, app_number: int, provider: str) -> Sender | Outcome:
        """The sender of an application, or what becomes of its messages without one.

        :raises DatabaseUnavailable: the credentials cannot be read now
        """
        known = self._known.get(app_number)
        if known is None or known.read_at + self._refresh_seconds < time.monotonic():
            async with self._reading:
                known = await self._fresh(app_number)
        if known is None:
            return NOT_CONFIGURED
        if provider not in known.senders:
            known.senders[provider] = self._made(known.row, provider)
        return known.senders[provider]

    def forget(self, rid: int) -> None:
        """Read the application's credentials again before they are next used; what was made of the old ones
        retires.
        """
        self._drop(rid)

    async def close(self) -> None:
        """Close all senders."""
        for known in self._known.values():
            self._retire(known, 0.0)
        self._known.clear()
        await asyncio.gather(*self._closing)
        await self._factory.close()

    async def _fresh(self, app_number: int) -> _Application | None:
        """What is known after another look, unless somebody has looked meanwhile."""
        known = self._known.get(app_number)
        if known is not None and known.read_at + self._refresh_seconds >= time.monotonic():
            return known
        async with self._database.read() as session:
            row = await repository.get(session, app_number)
        if row is None:
            self._drop(app_number)
            return None
        found = _Application(row, time.monotonic())
        if known is not None and known.version == found.version:
            known.read_at = found.read_at
            return known
        self._drop(app_number)
        self._known[app_number] = found
        return found

    def _drop(self, app_number: int) -> None:
        known = self._known.pop(app_number, None)
        if known is not None:
            self._retire(known, _GRACE_SECONDS)

    def _made(self, row: AppCredentials, provider: str) -> Sender | Outcome:
        if not configured(row)[provider]:
            return NOT_CONFIGURED
        try:
            return self._factory.make(row.app_id, provider, credentials_of(self._cipher, row, provider))
        except (CredentialsRefused, SecretUnreadable) as error:
            _log.error(
                "push credentials unusable", application=row.app_id, provider=provider, reason=str(error)
            )
            return UNUSABLE

    def _retire(self, known: _Application, grace_seconds: float) -> None:
        """Close old senders once what is under way has ended."""
        for sender in known.senders.values():
            if not isinstance(sender, Outcome):
                task = asyncio.create_task(sender.close(grace_seconds), name="push sender retires")
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)
