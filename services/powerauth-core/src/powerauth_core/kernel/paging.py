"""Pages of listings."""

from __future__ import annotations

from dataclasses import dataclass

from powerauth_core.settings import CoreSettings


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a listing; ``number`` counts from 0."""

    number: int
    size: int


def wanted_page(settings: CoreSettings, number: int | None, size: int | None) -> Page:
    """The page that a request names, by default the configured one."""
    return Page(
        number=settings.default_page_number if number is None else number,
        size=settings.default_page_size if size is None else size,
    )
