"""Registration of devices (spec/push-api.md §6)."""

from __future__ import annotations

from enum import StrEnum
from types import NoneType
from typing import Annotated

from pydantic import BeforeValidator, Field

from powerauth_contracts.enums import ActivationStatus
from powerauth_contracts.push.calls import Id, PushCall
from powerauth_contracts.wire import RequestModel

LONGEST_TOKEN = 4_096

PushToken = Annotated[str, Field(strict=True, min_length=1, max_length=LONGEST_TOKEN, repr=False)]
ActivationId = Annotated[str, Field(min_length=1, max_length=37)]


class Platform(StrEnum):
    """Who delivers to a device; the last three are old names of the first."""

    APNS = "apns"
    FCM = "fcm"
    HMS = "hms"
    IOS = "ios"
    ANDROID = "android"
    HUAWEI = "huawei"


class ApnsEnvironment(StrEnum):
    """Which of Apple's services a token is of."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Environment = Annotated[ApnsEnvironment, BeforeValidator(_lower)]


class Registration(RequestModel):
    """What registrations of one and of several activations have in common."""

    app_id: Id
    token: PushToken
    platform: Platform
    environment: Environment | None = None


class CreateDeviceRequest(Registration):
    """``push/device/create``; status and user only together, and only of who may say so."""

    activation_id: ActivationId
    activation_status: ActivationStatus | None = None
    user_id: Id | None = None


class CreateDevicesRequest(Registration):
    """``push/device/create/multi``."""

    activation_ids: list[ActivationId] = Field(min_length=1, max_length=100)


class UpdateStatusRequest(RequestModel):
    """``push/device/status/update``: what the core's callback sends, too."""

    activation_id: ActivationId
    activation_status: ActivationStatus | None = None


class DeleteDeviceRequest(RequestModel):
    """``push/device/delete``."""

    app_id: Id
    token: PushToken


CREATE = PushCall(
    ("POST",), "/push/device/create", CreateDeviceRequest, NoneType, "Register a device for messages."
)
CREATE_MULTI = PushCall(
    ("POST",),
    "/push/device/create/multi",
    CreateDevicesRequest,
    NoneType,
    "Register a device for the messages of several activations.",
)
UPDATE_STATUS = PushCall(
    ("POST", "PUT"),
    "/push/device/status/update",
    UpdateStatusRequest,
    NoneType,
    "Tell that the status of an activation has changed.",
    reads="body",
)
DELETE = PushCall(
    ("POST", "DELETE"), "/push/device/delete", DeleteDeviceRequest, NoneType, "Forget a push token."
)
