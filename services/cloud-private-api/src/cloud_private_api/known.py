"""Facts of the core and of push that are remembered: immutable, dropped by an event, or soon read again
(spec/cloud-api.md §13.4).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping, Sequence

from cloud_private_api.core_client import CoreClient
from cloud_private_api.core_errors import CoreCode
from cloud_private_api.errors import PushForbidden, PushUnreachable
from cloud_private_api.push_client import PushClient, PushRefused
from powerauth_contracts.push import applications as push_applications
from powerauth_contracts.rest import applications, templates
from powerauth_contracts.rest.templates import OperationTextRow
from powerauth_contracts.texts import CoreRefused
from servicekit.caching import Cache

CACHED_TEXTS = 10_000
PATIENCE_SECONDS = 1.0
"""How long a creation waits to hear what push can do; what it does not hear then, it assumes."""
SHORT_SECONDS = 1.0
"""How long it is believed that push can do nothing for an application, which may change any moment."""


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
        self._asked = -math.inf
        self._failed = False
        self._reading: asyncio.Task[Mapping[str, bool]] | None = None

    async def reachable(self, app_ids: Sequence[str]) -> list[str]:
        """Those whose phones can get messages. While push is away: what it said last; if it never said
        anything, all. While it refuses our credentials: none.
        """
        if not self._push.configured:
            return []
        certain = all(map((self._found or {}).get, app_ids))
        if self._is_old(certain=certain):
            reading = self._read()
            if not certain:
                await self._wait_a_moment(reading)
        found = self._found
        return list(app_ids) if found is None else [app_id for app_id in app_ids if found.get(app_id)]

    async def known(self, app_ids: Sequence[str]) -> list[str]:
        """Those that push knows.

        :raises PushUnreachable: push does not say
        """
        found = None if self._failed else self._found
        if found is None or self._is_old(certain=found.keys() >= set(app_ids)):
            found = await asyncio.shield(self._read())
        return [app_id for app_id in app_ids if app_id in found]

    def forget(self) -> None:
        """Something has changed at push: what it said before holds no longer."""
        self._found, self._asked, self._reading = None, -math.inf, None

    def _is_old(self, *, certain: bool) -> bool:
        """Whether to ask again; while push does not answer, not again and again, for creations wait."""
        short = not certain and not self._failed
        kept = min(self._seconds, SHORT_SECONDS) if short else self._seconds
        return time.monotonic() - self._asked >= kept

    async def _wait_a_moment(self, reading: asyncio.Task[Mapping[str, bool]]) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.shield(reading)
        except PushUnreachable:
            return
        except TimeoutError:
            self._asked, self._failed = time.monotonic(), True

    def _read(self) -> asyncio.Task[Mapping[str, bool]]:
        """One question for all who ask now."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._ask())
            self._reading.add_done_callback(self._was_read)
        return self._reading

    async def _ask(self) -> Mapping[str, bool]:
        try:
            listed = (await self._push.ask(push_applications.LIST)).application_list
        except PushRefused:  # there is nothing wrong with the question
            raise PushUnreachable from None
        return {item.app_id: any((item.apns, item.fcm, item.hms)) for item in listed}

    def _was_read(self, reading: asyncio.Task[Mapping[str, bool]]) -> None:
        error = None if reading.cancelled() else reading.exception()
        failed = reading.cancelled() or error is not None
        if reading is not self._reading:
            return  # what it read may be what has changed
        self._asked, self._failed, self._reading = time.monotonic(), failed, None
        if not failed:
            self._found = reading.result()
        elif isinstance(error, PushForbidden):
            self._found = {}
