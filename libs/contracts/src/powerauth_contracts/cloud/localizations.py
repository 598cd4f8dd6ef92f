"""Wire models of localised push texts (spec/cloud-api.md §11.7)."""

from __future__ import annotations

from pydantic import Field

from powerauth_contracts.wire import RequestModel, WireModel


class SaveLocalization(RequestModel):
    """``PUT``; ``${name}`` stands for an operation parameter."""

    title: str = Field(min_length=1, max_length=4096)
    summary: str = Field(min_length=1, max_length=4096)


class Localization(WireModel):
    """Push texts of one operation template (``placeholder`` is its name) in one language."""

    placeholder: str
    language: str
    title: str
    summary: str


class Localizations(WireModel):
    localizations: list[Localization]
