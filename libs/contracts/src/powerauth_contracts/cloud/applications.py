"""Wire models of application administration (spec/cloud-api.md §11.3, §11.6)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from powerauth_contracts.wire import RequestModel, WireModel

RoleName = Annotated[str, Field(min_length=1, max_length=255, pattern=r"\S")]
Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"\S")]


class CreateApplication(RequestModel):
    """``POST /admin/applications``."""

    id: str = Field(pattern=r"^[A-Za-z0-9_\-]{3,255}$")
    roles: list[RoleName] | None = None


class Application(WireModel):
    """An application with what a mobile app needs of it."""

    id: str
    service_base_url: str | None = None
    mobile_sdk_config: str | None = None
    roles: list[str]
    app_key: str | None = None
    app_secret: str | None = None
    master_server_public_key: str


class ApplicationItem(WireModel):
    id: str
    roles: list[str]


class Applications(WireModel):
    applications: list[ApplicationItem]


class CreateVersion(RequestModel):
    """``POST /admin/applications/{appId}/versions``."""

    name: Name


class UpdateVersion(RequestModel):
    """``PUT /admin/applications/{appId}/versions/{name}``."""

    supported: bool


class Version(WireModel):
    name: str
    app_key: str
    app_secret: str
    mobile_sdk_config: str | None = None
    supported: bool


class Versions(WireModel):
    versions: list[Version]


class Roles(RequestModel):
    """Request and answer of ``/admin/applications/{appId}/roles``."""

    roles: list[RoleName]


class ConfigValues(RequestModel):
    """``PUT /admin/applications/{appId}/config/{key}``."""

    values: list[Any]


class ConfigItem(WireModel):
    key: str
    values: list[Any]


class ConfigItems(WireModel):
    items: list[ConfigItem]


class OidcProvider(RequestModel):
    """An OIDC provider; ``clientSecret`` is ``***`` in answers, and in requests keeps the stored one."""

    provider_id: Name
    client_id: Name
    client_secret: Name
    issuer_uri: Name
    redirect_uri: Name
    client_authentication_method: Literal["client_secret_basic", "client_secret_post"] | None = None
    authorize_uri: str | None = None
    token_uri: str | None = None
    jwk_set_uri: str | None = None
    user_info_uri: str | None = None
    scopes: str | None = None
    pkce_enabled: bool | None = None
    signature_algorithm: str | None = None


class OidcProviders(WireModel):
    """Stored providers with masked secrets; members that are not known here are shown as they are."""

    providers: list[dict[str, Any]]
