"""Facts of the core and of push that are remembered: immutable, dropped by an event, or soon read again
(spec/cloud-api.md §13.4).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from cloud_private_api.core_client import CoreClient
from cloud_private_api.core_errors import CoreCode
from cloud_private_api.errors import PushUnreachable
from cloud_private_api.push_client import PushClient
from powerauth_contracts.push import applications as push_applications
from powerauth_contracts.rest import applications, templates
from powerauth_contracts.rest.templates import OperationTextRow
from powerauth_contracts.texts import CoreRefused
from servicekit.caching import Cache

CACHED_TEXTS = 10_000


class ApplicationFacts:
    """Which application an application key, or a registration, belongs to. Neither ever moves."""

    def __init__(self, core: CoreClient, *, size: int, seconds: float, registrations: int) -> None:
        self._core = core
        self._of_key: Cache[str, str] = Cache(size, seconds)
        self._of_registration: Cache[str, str] = Cache(registrations)

    async def of_key(self, application_key: str) -> str | None:
        """The application id behind an application key; None for an unknown key."""
        known = self._of_key.get(application_key)
        if known is not None:
            return known
        try:
            found = await self._core.ask(applications.DETAIL_VERSION, application_key=application_key)
        except CoreRefused as refusal:
            if refusal.code == CoreCode.APPLICATION_UNKNOWN:
                return None
            raise
        self._of_key.put(application_key, found.application_id)
        return found.application_id

    def of_registration(self, activation_id: str) -> str | None:
        """The application of a registration, if it was seen before."""
        return self._of_registration.get(activation_id)

    def learn_registration(self, activation_id: str, application_id: str) -> None:
        """Remember the application of a registration that the core answered about."""
        if self._of_registration.get(activation_id) is None:
            self._of_registration.put(activation_id, application_id)

    def forget(self, application_id: str) -> None:
        """Drop the keys of an application (event ``application.changed``)."""
        self._of_key.drop_where(lambda _key, value: value == application_id)


class OperationTexts:
    """Localised texts for the app, by operation type."""

    def __init__(self, core: CoreClient, seconds: float) -> None:
        self._core = core
        self._cache: Cache[str, Sequence[OperationTextRow]] = Cache(CACHED_TEXTS, seconds)

    async def of_type(self, operation_type: str) -> Sequence[OperationTextRow]:
        """All languages of one operation type."""
        known = self._cache.get(operation_type)
        if known is not None:
            return known
        texts = (await self._core.ask(templates.TEXT_LIST, placeholder=operation_type)).texts
        self._cache.put(operation_type, texts)
        return texts

    def forget(self, operation_type: str) -> None:
        """Drop the texts of one operation type (event ``operation_template.changed``)."""
        self._cache.drop(operation_type)


class PushApplications:
    """Which applications push knows, and which of them it has a provider's credentials for."""

    def __init__(self, push: PushClient, seconds: float) -> None:
        """:param seconds: how long what push said is taken for true"""
        self._push = push
        self._seconds = seconds
        self._found: Mapping[str, bool] | None = None
        self._until = 0.0
        self._reading: asyncio.Task[Mapping[str, bool]] | None = None

    async def reachable(self, app_ids: Sequence[str]) -> list[str]:
        """Those whose phones can get messages. While push is away: what it said last; if it never said
        anything, all.
        """
        if not self._push.configured:
            return []
        if self._until <= time.monotonic():
            reading = self._read()
            if not all(map((self._found or {}).get, app_ids)):
                with suppress(PushUnreachable):
                    await asyncio.shield(reading)
        found = self._found
        return list(app_ids) if found is None else [app_id for app_id in app_ids if found.get(app_id)]

    async def known(self, app_ids: Sequence[str]) -> list[str]:
        """Those that push knows.

        :raises PushUnreachable: push does not say
        """
        fresh = self._found is not None and self._until > time.monotonic()
        found = self._found if fresh else await asyncio.shield(self._read())
        return [app_id for app_id in app_ids if app_id in (found or {})]

    def forget(self) -> None:
        """Something has changed at push: what it said before holds no longer."""
        self._found, self._until, self._reading = None, 0.0, None

    def _read(self) -> asyncio.Task[Mapping[str, bool]]:
        """One question for all who ask now, and none again for a while, whatever comes of it."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._ask())
            self._reading.add_done_callback(self._was_read)
        return self._reading

    async def _ask(self) -> Mapping[str, bool]:
        listed = (await self._push.ask(push_applications.LIST)).application_list
        return {item.app_id: any((item.apns, item.fcm, item.hms)) for item in listed}

    def _was_read(self, reading: asyncio.Task[Mapping[str, bool]]) -> None:
        if reading is not self._reading:
            return  # what it read may be what has changed
        self._reading = None
        if reading.cancelled():
            return
        if reading.exception() is None:
            self._found = reading.result()
        self._until = time.monotonic() + self._seconds
