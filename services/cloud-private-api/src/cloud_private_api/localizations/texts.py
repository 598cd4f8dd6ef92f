"""Push texts that are remembered for a moment: every new operation asks for one (spec/cloud-api.md §13.2)."""

from __future__ import annotations

from collections.abc import Mapping

from cloud_private_api.localizations import reads
from cloud_private_api.localizations.rules import Parameters, fill_push_text
from servicekit.caching import Cache
from servicekit.database import Database

_CACHED_TEMPLATES = 10_000


class PushTexts:
    """Texts of operation templates."""

    def __init__(self, database: Database, seconds: float, defaults: tuple[str, str], language: str) -> None:
        """
        :param seconds: how long another process may go on with what was changed
        :param defaults: title and summary where there is no text
        :param language: of a text that stands for one in another language
        """
        self._database = database
        self._defaults = defaults
        self._language = language
        self._cache: Cache[str, Mapping[str, tuple[str, str]]] = Cache(_CACHED_TEMPLATES, seconds)

    async def of(self, template: str | None, language: str, parameters: Parameters) -> tuple[str, str]:
        """Title and summary for one operation.

        :raises Unavailable: they cannot be read
        """
        texts = await self._of_template(template) if template is not None else {}
        title, summary = texts.get(language.lower()) or texts.get(self._language) or self._defaults
        return fill_push_text(title, parameters), fill_push_text(summary, parameters)

    async def _of_template(self, template: str) -> Mapping[str, tuple[str, str]]:
        found = await self._cache.load(template, lambda: reads.of_template(self._database.fetch, template))
        return found or {}

    def forget(self, template: str) -> None:
        """Its texts have changed."""
        self._cache.drop(template)
