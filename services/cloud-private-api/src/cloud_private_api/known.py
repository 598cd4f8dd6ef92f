"""Facts of the core that are remembered: immutable, or dropped by an event (spec/cloud-api.md §13.4)."""

from __future__ import annotations

from collections.abc import Sequence

from cloud_private_api.core_client import CoreClient
from cloud_private_api.core_errors import CoreCode
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
