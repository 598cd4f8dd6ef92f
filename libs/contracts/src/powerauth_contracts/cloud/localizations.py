"""Wire models of localised push texts (spec/cloud-api.md §11.7)."""

from __future__ import annotations

from types import NoneType

from pydantic import Field

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.wire import RequestModel, StatusResponse, WireModel


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


LIST_LOCALIZATIONS = Endpoint("listLocalizations", "GET", "/admin/localizations", NoneType, Localizations)
GET_LOCALIZATION = Endpoint(
    "getLocalization", "GET", "/admin/localizations/{placeholder}/{language}", NoneType, Localization
)
UPDATE_LOCALIZATION = Endpoint(
    "updateLocalization",
    "PUT",
    "/admin/localizations/{placeholder}/{language}",
    SaveLocalization,
    Localization,
)
REMOVE_LOCALIZATION = Endpoint(
    "removeLocalization", "DELETE", "/admin/localizations/{placeholder}/{language}", NoneType, StatusResponse
)
