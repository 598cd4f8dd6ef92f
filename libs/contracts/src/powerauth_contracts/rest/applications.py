"""Wire models of the application and configuration calls (spec/core-api.md §5, §6)."""

from __future__ import annotations

from types import NoneType
from typing import Annotated, Any

from pydantic import Field

from powerauth_contracts.calls import Call
from powerauth_contracts.fields import RequiredText
from powerauth_contracts.wire import RequestModel, WireModel

Name = Annotated[RequiredText, Field(max_length=255)]
Roles = Annotated[list[RequiredText], Field(min_length=1)]


class ApplicationRequest(RequestModel):
    """Names an application."""

    application_id: RequiredText


class CreateApplicationRequest(RequestModel):
    """``application/create``."""

    application_id: Name


class ApplicationRoles(WireModel):
    """An application and its roles."""

    application_id: str
    application_roles: list[str]


class ListApplicationsResponse(WireModel):
    """All applications, oldest first."""

    applications: list[ApplicationRoles]


class ApplicationVersionDetail(WireModel):
    """One version; `mobile_sdk_config` is what its mobile application is built with."""

    application_version_id: str | None
    application_key: str
    application_secret: str = Field(repr=False)
    mobile_sdk_config: str = Field(repr=False)
    supported: bool


class ApplicationDetail(WireModel):
    """An application with its newest master public key (Base64 of 65 bytes)."""

    application_id: str
    master_public_key: str
    application_roles: list[str]
    versions: list[ApplicationVersionDetail]


class VersionLookupRequest(RequestModel):
    """``application/detail/version``."""

    application_key: RequiredText


class VersionLookupResponse(WireModel):
    """The application that an application key belongs to."""

    application_id: str


class CreateVersionRequest(RequestModel):
    """``application/version/create``."""

    application_id: RequiredText
    application_version_id: Name


class CreatedVersion(WireModel):
    """A new version with its key and secret."""

    application_version_id: str
    application_version_name: None = None
    application_key: str
    application_secret: str = Field(repr=False)
    supported: bool


class VersionRequest(RequestModel):
    """Names a version of an application."""

    application_id: RequiredText
    application_version_id: RequiredText


class VersionSupport(WireModel):
    """Whether a version is supported now."""

    application_version_id: str
    supported: bool


class RolesRequest(RequestModel):
    """Roles to add, set or remove."""

    application_id: RequiredText
    application_roles: Roles


class ConfigItem(WireModel):
    """All values of one configuration key."""

    key: str
    values: list[Any]


class ApplicationConfigDetail(WireModel):
    """The whole configuration of an application."""

    application_id: str
    application_configs: list[ConfigItem]


class CreateConfigRequest(RequestModel):
    """``application/config/create``: replaces all values of the key."""

    application_id: RequiredText
    key: RequiredText
    values: list[Any] = Field(default_factory=list)


class CreatedConfig(WireModel):
    """What was stored."""

    application_id: str
    key: str
    values: list[Any]


class RemoveConfigRequest(RequestModel):
    """``application/config/remove``."""

    application_id: RequiredText
    key: RequiredText


LIST = Call("/rest/v3/application/list", NoneType, ListApplicationsResponse, "All applications.")
DETAIL = Call(
    "/rest/v3/application/detail", ApplicationRequest, ApplicationDetail, "An application with its versions."
)
DETAIL_VERSION = Call(
    "/rest/v3/application/detail/version",
    VersionLookupRequest,
    VersionLookupResponse,
    "The application of an application key.",
)
CREATE = Call(
    "/rest/v3/application/create", CreateApplicationRequest, ApplicationRoles, "Create an application."
)
VERSION_CREATE = Call(
    "/rest/v3/application/version/create",
    CreateVersionRequest,
    CreatedVersion,
    "Create a version of an application.",
)
VERSION_SUPPORT = Call(
    "/rest/v3/application/version/support", VersionRequest, VersionSupport, "Support a version."
)
VERSION_UNSUPPORT = Call(
    "/rest/v3/application/version/unsupport", VersionRequest, VersionSupport, "Stop supporting a version."
)
ROLES_LIST = Call(
    "/rest/v3/application/roles/list", ApplicationRequest, ApplicationRoles, "The roles of an application."
)
ROLES_CREATE = Call("/rest/v3/application/roles/create", RolesRequest, ApplicationRoles, "Add roles.")
ROLES_UPDATE = Call("/rest/v3/application/roles/update", RolesRequest, ApplicationRoles, "Replace the roles.")
ROLES_REMOVE = Call("/rest/v3/application/roles/remove", RolesRequest, ApplicationRoles, "Remove roles.")
CONFIG_DETAIL = Call(
    "/rest/v3/application/config/detail",
    ApplicationRequest,
    ApplicationConfigDetail,
    "The configuration of an application.",
)
CONFIG_CREATE = Call(
    "/rest/v3/application/config/create",
    CreateConfigRequest,
    CreatedConfig,
    "Set all values of a configuration key.",
)
CONFIG_REMOVE = Call(
    "/rest/v3/application/config/remove", RemoveConfigRequest, NoneType, "Remove a configuration key."
)
