"""What the service tells about itself (spec/push-api.md §18)."""

from __future__ import annotations

from types import NoneType

from powerauth_contracts.push.calls import PushCall
from powerauth_contracts.wire import CoreDateTime, WireModel


class ServiceStatus(WireModel):
    """``push/service/status``."""

    application_name: str
    application_display_name: str
    application_environment: str
    version: str | None = None
    build_time: CoreDateTime | None = None
    timestamp: CoreDateTime


STATUS = PushCall(
    ("GET",), "/push/service/status", NoneType, ServiceStatus, "Name and version of this installation."
)
