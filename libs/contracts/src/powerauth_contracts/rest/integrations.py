"""Wire models of the integration calls (spec/core-api.md §16)."""

from __future__ import annotations

from types import NoneType
from typing import Annotated

from pydantic import Field

from powerauth_contracts.calls import Call
from powerauth_contracts.enums import IntegrationKind
from powerauth_contracts.fields import RequiredText
from powerauth_contracts.wire import RequestModel, WireModel


class CreateIntegrationRequest(RequestModel):
    """``integration/create``. ``kind`` is ours: which door the credentials open (D1 rule 7)."""

    name: Annotated[RequiredText, Field(max_length=255)]
    kind: IntegrationKind = IntegrationKind.REST


class IntegrationDetail(WireModel):
    """An integration with its credentials in clear."""

    id: str
    name: str | None
    client_token: str
    client_secret: str = Field(repr=False)


class ListIntegrationsResponse(WireModel):
    """The integrations of the rest kind; those of the dmz kind are never listed."""

    restricted_access: bool
    items: list[IntegrationDetail]


class RemoveIntegrationRequest(RequestModel):
    """``integration/remove``."""

    id: RequiredText


class RemoveIntegrationResponse(WireModel):
    """Whether there was an integration to remove."""

    id: str
    removed: bool


CREATE = Call(
    "/rest/v3/integration/create", CreateIntegrationRequest, IntegrationDetail, "Create an integration."
)
LIST = Call(
    "/rest/v3/integration/list",
    NoneType,
    ListIntegrationsResponse,
    "The integrations that may call this door.",
)
REMOVE = Call(
    "/rest/v3/integration/remove",
    RemoveIntegrationRequest,
    RemoveIntegrationResponse,
    "Remove an integration.",
)
