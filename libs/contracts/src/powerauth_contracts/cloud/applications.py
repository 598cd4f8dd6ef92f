"""Wire models of application administration (spec/cloud-api.md §11.3, §11.6)."""

from __future__ import annotations

from types import NoneType
from typing import Annotated, Any, Literal

from pydantic import Field

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.wire import RequestModel, StatusResponse, WireModel

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


CREATE_APPLICATION = Endpoint(
    "createApplication", "POST", "/admin/applications", CreateApplication, Application
)
LIST_APPLICATIONS = Endpoint("listApplications", "GET", "/admin/applications", NoneType, Applications)
GET_APPLICATION = Endpoint("getApplication", "GET", "/admin/applications/{appId}", NoneType, Application)
LIST_APPLICATION_VERSIONS = Endpoint(
    "listApplicationVersions", "GET", "/admin/applications/{appId}/versions", NoneType, Versions
)
CREATE_APPLICATION_VERSION = Endpoint(
    "createApplicationVersion", "POST", "/admin/applications/{appId}/versions", CreateVersion, Version
)
UPDATE_APPLICATION_VERSION = Endpoint(
    "updateApplicationVersion", "PUT", "/admin/applications/{appId}/versions/{name}", UpdateVersion, Version
)
GET_APPLICATION_ROLES = Endpoint(
    "getApplicationRoles", "GET", "/admin/applications/{appId}/roles", NoneType, Roles
)
UPDATE_APPLICATION_ROLES = Endpoint(
    "updateApplicationRoles", "PUT", "/admin/applications/{appId}/roles", Roles, Roles
)
GET_APPLICATION_CONFIG = Endpoint(
    "getApplicationConfig", "GET", "/admin/applications/{appId}/config", NoneType, ConfigItems
)
UPDATE_APPLICATION_CONFIG = Endpoint(
    "updateApplicationConfig", "PUT", "/admin/applications/{appId}/config/{key}", ConfigValues, ConfigItem
)
REMOVE_APPLICATION_CONFIG = Endpoint(
    "removeApplicationConfig", "DELETE", "/admin/applications/{appId}/config/{key}", NoneType, StatusResponse
)
LIST_OIDC_PROVIDERS = Endpoint(
    "listOidcProviders", "GET", "/admin/applications/{appId}/oidc-providers", NoneType, OidcProviders
)
GET_OIDC_PROVIDER = Endpoint(
    "getOidcProvider",
    "GET",
    "/admin/applications/{appId}/oidc-providers/{providerId}",
    NoneType,
    OidcProvider,
)
UPDATE_OIDC_PROVIDER = Endpoint(
    "updateOidcProvider",
    "PUT",
    "/admin/applications/{appId}/oidc-providers/{providerId}",
    OidcProvider,
    OidcProvider,
)
REMOVE_OIDC_PROVIDER = Endpoint(
    "removeOidcProvider",
    "DELETE",
    "/admin/applications/{appId}/oidc-providers/{providerId}",
    NoneType,
    StatusResponse,
)
