"""Wire models of properties (spec/cloud-api.md §11.8)."""

from __future__ import annotations

from types import NoneType

from pydantic import Field

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.wire import RequestModel, WireModel


class PutProperty(RequestModel):
    """``PUT /admin/properties/{name}``."""

    value: str | None = Field(max_length=65_536)


class Property(WireModel):
    name: str
    value: str | None = None


class Properties(WireModel):
    properties: list[Property]


LIST_PROPERTIES = Endpoint("listProperties", "GET", "/admin/properties", NoneType, Properties)
UPDATE_PROPERTY = Endpoint("updateProperty", "PUT", "/admin/properties/{name}", PutProperty, Property)
