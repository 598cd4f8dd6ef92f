"""The hot read of push texts (CONTRIBUTING.md, a hot read)."""

from __future__ import annotations

from collections.abc import Mapping

from cloud_private_api.localizations.models import Localization
from servicekit.reads import Fetch, Read

_OF_TEMPLATE = Read(
    f"SELECT language, title, summary FROM {Localization.__tablename__} WHERE placeholder = $1",
    ("varchar",),
)


async def of_template(fetch: Fetch, placeholder: str) -> Mapping[str, tuple[str, str]]:
    """Title and summary of a template's texts, by language."""
    return {language: (title, summary) for language, title, summary in await fetch(_OF_TEMPLATE, placeholder)}
