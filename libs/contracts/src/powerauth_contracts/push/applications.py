"""Administration of applications and their credentials (spec/push-api.md §17)."""

from __future__ import annotations

from types import NoneType
from typing import Annotated

from pydantic import Field

from powerauth_contracts.fields import Name, Switch
from powerauth_contracts.push.calls import Id, PushCall
from powerauth_contracts.push.devices import ApnsEnvironment, Environment
from powerauth_contracts.wire import RequestModel, WireModel

KeyText = Annotated[str, Field(strict=True, min_length=1, max_length=65_536, repr=False)]
"""Base64 of a key file."""
SecretText = Annotated[str, Field(strict=True, pattern=r"\S", max_length=255, repr=False)]


class ApplicationRequest(RequestModel):
    """Calls that name an application only."""

    app_id: Id


class ApplicationDetailRequest(ApplicationRequest):
    """``admin/app/detail``: which credentials are shown beside the flags."""

    include_apns: Switch = False
    include_fcm: Switch = False
    include_hms: Switch = False


class Application(WireModel):
    """An application; which providers it has credentials of."""

    app_id: str
    apns: bool | None = None
    fcm: bool | None = None
    hms: bool | None = None


class ListApplicationsResponse(WireModel):
    """``admin/app/list``."""

    application_list: list[Application]


class ApplicationDetail(WireModel):
    """An application with its credentials; secrets are never shown."""

    application: Application
    apns_bundle: str | None = None
    apns_key_id: str | None = None
    apns_team_id: str | None = None
    apns_environment: ApnsEnvironment | None = None
    fcm_project_id: str | None = None
    hms_project_id: str | None = None


class CreatedApplication(WireModel):
    """``admin/app/create``."""

    app_id: str


class ApnsCredentialsRequest(ApplicationRequest):
    """Credentials at Apple: a token key (``.p8``), or a certificate with its key in one PEM file.

    The key id and the team id are of the token key; a certificate file is given with the same two, unread.
    """

    bundle: Name
    key_id: Name
    team_id: Name
    environment: Environment | None = None
    private_key_base64: KeyText


class FcmCredentialsRequest(ApplicationRequest):
    """Credentials at Google: the JSON file of a service account."""

    project_id: Name
    private_key_base64: KeyText


class HmsCredentialsRequest(ApplicationRequest):
    """Credentials at Huawei."""

    project_id: Name
    client_id: Name
    client_secret: SecretText


LIST = PushCall(("GET",), "/admin/app/list", NoneType, ListApplicationsResponse, "All applications.")
LIST_UNCONFIGURED = PushCall(
    ("GET",),
    "/admin/app/unconfigured/list",
    NoneType,
    ListApplicationsResponse,
    "Applications of the core that cannot be sent to yet.",
)
DETAIL = PushCall(
    ("POST",), "/admin/app/detail", ApplicationDetailRequest, ApplicationDetail, "An application."
)
CREATE = PushCall(
    ("POST",), "/admin/app/create", ApplicationRequest, CreatedApplication, "Begin with an application."
)
SET_APNS = PushCall(
    ("PUT", "POST"),
    "/admin/app/apns",
    ApnsCredentialsRequest,
    NoneType,
    "Credentials at Apple.",
    declares=True,
)
SET_FCM = PushCall(
    ("PUT", "POST"),
    "/admin/app/fcm",
    FcmCredentialsRequest,
    NoneType,
    "Credentials at Google.",
    declares=True,
)
SET_HMS = PushCall(
    ("PUT", "POST"),
    "/admin/app/hms",
    HmsCredentialsRequest,
    NoneType,
    "Credentials at Huawei.",
    declares=True,
)
CLEAR_APNS = PushCall(
    ("DELETE",),
    "/admin/app/apns",
    ApplicationRequest,
    NoneType,
    "Forget credentials at Apple.",
    reads="query",
)
CLEAR_FCM = PushCall(
    ("DELETE",),
    "/admin/app/fcm",
    ApplicationRequest,
    NoneType,
    "Forget credentials at Google.",
    reads="query",
)
CLEAR_HMS = PushCall(
    ("DELETE",),
    "/admin/app/hms",
    ApplicationRequest,
    NoneType,
    "Forget credentials at Huawei.",
    reads="query",
)
UPDATE_IOS = PushCall(
    ("PUT", "POST"), "/admin/app/ios/update", ApnsCredentialsRequest, NoneType, "The old name of `apns`."
)
UPDATE_ANDROID = PushCall(
    ("PUT", "POST"), "/admin/app/android/update", FcmCredentialsRequest, NoneType, "The old name of `fcm`."
)
UPDATE_HUAWEI = PushCall(
    ("PUT", "POST"),
    "/admin/app/huawei/update",
    HmsCredentialsRequest,
    NoneType,
    "The old name of `hms`.",
    declares=True,
)
REMOVE_IOS = PushCall(
    ("POST", "DELETE"), "/admin/app/ios/remove", ApplicationRequest, NoneType, "The old name of `apns`."
)
REMOVE_ANDROID = PushCall(
    ("POST", "DELETE"), "/admin/app/android/remove", ApplicationRequest, NoneType, "The old name of `fcm`."
)
REMOVE_HUAWEI = PushCall(
    ("POST", "DELETE"),
    "/admin/app/huawei/remove",
    ApplicationRequest,
    NoneType,
    "The old name of `hms`.",
    declares=True,
)
