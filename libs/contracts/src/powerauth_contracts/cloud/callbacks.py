"""Wire models of callbacks (spec/cloud-api.md §11.5)."""

from __future__ import annotations

import re
from types import NoneType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AliasChoices, Field
from pydantic_core import PydanticCustomError

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.wire import RequestModel, StatusResponse, WireModel

CallbackType = Literal["REGISTRATION_STATUS_CHANGE", "OPERATION_STATUS_CHANGE", "PASSKEY_POLICY_CHANGE"]

_DURATION = re.compile(r"P(?=.)(\d{1,9}D)?(T(?=.)(\d{1,9}H)?(\d{1,9}M)?(\d{1,9}([.,]\d{1,9})?S)?)?", re.ASCII)
_URL = re.compile(r"https?://[^\s/?#]+[^\s]*", re.IGNORECASE)


def _duration(value: str) -> str:
    if not _DURATION.fullmatch(value):
        raise PydanticCustomError("duration", "must be an ISO-8601 duration")
    return value


def _url(value: str) -> str:
    if not _URL.fullmatch(value):
        raise PydanticCustomError("url", "must be an absolute http(s) URL")
    return value


Duration = Annotated[str, Field(max_length=64), AfterValidator(_duration)]
Text = Annotated[str | None, Field(max_length=1024)]


class HttpBasic(RequestModel):
    """HTTP Basic towards the bank."""

    enabled: bool = False
    username: Text = None
    password: Text = Field(default=None, repr=False)


class Certificate(RequestModel):
    """Client certificate and trust store; locations are files of the core's certificate directory."""

    enabled: bool = False
    use_custom_key_store: bool = False
    key_store_location: Text = None
    key_store_password: Text = Field(default=None, repr=False)
    key_alias: Text = None
    key_password: Text = Field(default=None, repr=False)
    use_custom_trust_store: bool = False
    trust_store_location: Text = None
    trust_store_password: Text = Field(default=None, repr=False)


class OAuth2(RequestModel):
    """OAuth 2.0 client credentials towards the bank."""

    enabled: bool = False
    client_id: Text = None
    client_secret: Text = Field(default=None, repr=False)
    token_uri: Text = None
    scope: Text = None


class Authentication(RequestModel):
    """How the core authenticates to the callback URL."""

    http_basic: HttpBasic | None = None
    certificate: Certificate | None = None
    oauth2: OAuth2 | None = Field(
        default=None, validation_alias=AliasChoices("oauth2", "oAuth2"), serialization_alias="oauth2"
    )


class SaveCallback(RequestModel):
    """``POST`` and ``PUT``. ``attributes``: missing = all, empty = only those that are always sent."""

    name: str = Field(min_length=1, max_length=255, pattern=r"\S")
    type: CallbackType
    callback_url: Annotated[str, Field(max_length=1024), AfterValidator(_url)]
    attributes: list[str] | None = None
    authentication: Authentication | None = None
    max_attempts: int | None = Field(default=None, ge=1, le=1_000_000)
    initial_backoff: Duration | None = None
    retention_period: Duration | None = None


class Callback(WireModel):
    """A callback; instead of secrets, flags that tell whether they are set."""

    id: str
    name: str | None = None
    type: str
    callback_url: str | None = None
    attributes: list[str]
    authentication: dict[str, Any] | None = None
    max_attempts: int | None = None
    initial_backoff: str | None = None
    retention_period: str | None = None


class Callbacks(WireModel):
    callbacks: list[Callback]


CREATE_CALLBACK = Endpoint(
    "createCallback", "POST", "/v2/admin/applications/{appId}/callbacks", SaveCallback, Callback
)
LIST_CALLBACKS = Endpoint(
    "listCallbacks", "GET", "/v2/admin/applications/{appId}/callbacks", NoneType, Callbacks
)
GET_CALLBACK = Endpoint(
    "getCallback", "GET", "/v2/admin/applications/{appId}/callbacks/{callbackId}", NoneType, Callback
)
UPDATE_CALLBACK = Endpoint(
    "updateCallback", "PUT", "/v2/admin/applications/{appId}/callbacks/{callbackId}", SaveCallback, Callback
)
REMOVE_CALLBACK = Endpoint(
    "removeCallback",
    "DELETE",
    "/v2/admin/applications/{appId}/callbacks/{callbackId}",
    NoneType,
    StatusResponse,
)
