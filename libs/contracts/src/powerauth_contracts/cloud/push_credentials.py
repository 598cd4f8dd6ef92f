"""Wire models of an application's credentials at the providers of push (spec/cloud-api.md §11.4)."""

from __future__ import annotations

from types import NoneType
from typing import Annotated

from pydantic import Field

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.cloud.applications import Name
from powerauth_contracts.push.applications import KeyText, SecretText
from powerauth_contracts.push.devices import ApnsEnvironment, Environment
from powerauth_contracts.wire import RequestModel, StatusResponse, WireModel


class ApnsCredentials(RequestModel):
    """``POST /admin/applications/{appId}/push/apns``."""

    topic: Name
    key_id: Name
    team_id: Name
    environment: Environment = ApnsEnvironment.PRODUCTION
    private_key_base64: KeyText


class FcmCredentials(RequestModel):
    """``POST /admin/applications/{appId}/push/fcm``."""

    project_id: Name
    private_key_base64: KeyText


class HmsCredentials(RequestModel):
    """``POST /admin/applications/{appId}/push/hms``."""

    project_id: Name
    client_id: Name
    client_secret: SecretText


class PushProviders(WireModel):
    """Which providers an application has credentials of."""

    apns: Annotated[bool, Field(description="Apple")]
    fcm: Annotated[bool, Field(description="Google")]
    hms: Annotated[bool, Field(description="Huawei")]


_PUSH = "/admin/applications/{appId}/push"
GET_PUSH_PROVIDERS = Endpoint("getPushProviders", "GET", _PUSH, NoneType, PushProviders)
UPDATE_APNS = Endpoint("updateApns", "POST", f"{_PUSH}/apns", ApnsCredentials, StatusResponse)
UPDATE_FCM = Endpoint("updateFcm", "POST", f"{_PUSH}/fcm", FcmCredentials, StatusResponse)
UPDATE_HMS = Endpoint("updateHms", "POST", f"{_PUSH}/hms", HmsCredentials, StatusResponse)
REMOVE_APNS = Endpoint("removeApns", "DELETE", f"{_PUSH}/apns", NoneType, StatusResponse)
REMOVE_FCM = Endpoint("removeFcm", "DELETE", f"{_PUSH}/fcm", NoneType, StatusResponse)
REMOVE_HMS = Endpoint("removeHms", "DELETE", f"{_PUSH}/hms", NoneType, StatusResponse)
