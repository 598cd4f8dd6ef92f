"""A PowerAuth device: activation, signatures, tokens and operations over HTTP."""

from powerauth_sdk.activation import ActivationResult, DeviceProfile
from powerauth_sdk.config import AppConfig
from powerauth_sdk.device import Device, DeviceStatus
from powerauth_sdk.errors import (
    SdkError,
    ServerRefused,
    ServerUnreachable,
    UnexpectedAnswer,
    UntrustedData,
    WrongDeviceState,
)
from powerauth_sdk.messages import Inbox, Message, register_for_push
from powerauth_sdk.mobile_token import MobileToken, Operation
from powerauth_sdk.server import ServerStatus, identity_provider, server_status
from powerauth_sdk.state import ActivationState, FileStore, StateStore, TokenRecord
from powerauth_sdk.transport import Answer, HttpTransport, Transport

__all__ = [
    "ActivationResult",
    "ActivationState",
    "Answer",
    "AppConfig",
    "Device",
    "DeviceProfile",
    "DeviceStatus",
    "FileStore",
    "HttpTransport",
    "Inbox",
    "Message",
    "MobileToken",
    "Operation",
    "SdkError",
    "ServerRefused",
    "ServerStatus",
    "ServerUnreachable",
    "StateStore",
    "TokenRecord",
    "Transport",
    "UnexpectedAnswer",
    "UntrustedData",
    "WrongDeviceState",
    "identity_provider",
    "register_for_push",
    "server_status",
]
