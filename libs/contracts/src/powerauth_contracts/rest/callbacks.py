"""Wire models of the callback calls (spec/core-api.md §18.1)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from powerauth_contracts.callback_authentication import HttpAuthenticationPrivate
from powerauth_contracts.calls import Call
from powerauth_contracts.durations import IsoDuration
from powerauth_contracts.enums import CallbackUrlType
from powerauth_contracts.fields import Name, RequiredText
from powerauth_contracts.wire import RequestModel, WireModel


class CertificatePublic(WireModel):
    """`CertificateAuthentication` without its passwords."""

    enabled: bool
    use_custom_key_store: bool
    key_store_location: str | None
    key_store_password_set: bool
    key_alias: str | None
    key_password_set: bool
    use_custom_trust_store: bool
    trust_store_location: str | None
    trust_store_password_set: bool


class HttpBasicPublic(WireModel):
    """`HttpBasicAuthentication` without its password."""

    enabled: bool
    username: str | None
    password_set: bool


class OAuth2Public(WireModel):
    """`OAuth2Authentication` without its secret."""

    enabled: bool
    token_uri: str | None
    client_id: str | None
    client_secret_set: bool
    scope: str | None


class HttpAuthenticationPublic(WireModel):
    """How a callback authenticates, as answers show it: whether a secret is set, never the secret."""

    certificate: CertificatePublic
    http_basic: HttpBasicPublic
    oauth2: OAuth2Public


class CallbackUrlSettings(RequestModel):
    """What create and update have in common. None for a number or duration means the global default."""

    application_id: RequiredText
    name: Name
    type: CallbackUrlType
    callback_url: Annotated[RequiredText, Field(max_length=1024)]
    attributes: list[str] | None = None
    authentication: HttpAuthenticationPrivate | None = None
    retention_period: IsoDuration | None = None
    initial_backoff: IsoDuration | None = None
    max_attempts: int | None = Field(default=None, ge=1, le=1_000_000)
    application_ids: list[str] | None = None


class CreateCallbackUrlRequest(CallbackUrlSettings):
    """``application/callback/create``."""


class UpdateCallbackUrlRequest(CallbackUrlSettings):
    """``application/callback/update``."""

    id: RequiredText


class ListCallbackUrlsRequest(RequestModel):
    """``application/callback/list``."""

    application_id: str
    application_ids: list[str] | None = None


class RemoveCallbackUrlRequest(RequestModel):
    """``application/callback/remove``."""

    id: str
    application_ids: list[str] | None = None


class CallbackUrlDetail(WireModel):
    """One callback; numbers and durations that were not given are the global defaults."""

    id: str
    application_id: str
    name: str | None
    type: str
    callback_url: str | None
    attributes: list[str]
    authentication: HttpAuthenticationPublic
    retention_period: IsoDuration
    initial_backoff: IsoDuration
    max_attempts: int


class ListCallbackUrlsResponse(WireModel):
    """Callbacks of one application, by name."""

    callback_url_list: list[CallbackUrlDetail]


class RemoveCallbackUrlResponse(WireModel):
    """Whether there was a callback to remove."""

    id: str
    removed: bool


CREATE = Call(
    "/rest/v3/application/callback/create",
    CreateCallbackUrlRequest,
    CallbackUrlDetail,
    "Configure a callback URL.",
)
UPDATE = Call(
    "/rest/v3/application/callback/update",
    UpdateCallbackUrlRequest,
    CallbackUrlDetail,
    "Overwrite a callback URL; secrets that are left out are kept.",
)
LIST = Call(
    "/rest/v3/application/callback/list",
    ListCallbackUrlsRequest,
    ListCallbackUrlsResponse,
    "The callback URLs of an application.",
)
REMOVE = Call(
    "/rest/v3/application/callback/remove",
    RemoveCallbackUrlRequest,
    RemoveCallbackUrlResponse,
    "Switch a callback URL off.",
)
