"""Wire models of binding tickets (spec/device-trust.md §1.9)."""

from __future__ import annotations

from types import NoneType

from pydantic import Field

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.fields import Name
from powerauth_contracts.rest.binding_tickets import TicketLife
from powerauth_contracts.wire import EpochMillis, RequestModel, StatusResponse, WireModel


class CreateDeviceBinding(RequestModel):
    """``POST /v2/device-bindings``: the caller vouches that it authenticated the user; ``ttl`` in seconds."""

    user_id: Name
    app_id: Name
    ttl: TicketLife = 300


class DeviceBinding(WireModel):
    """The ticket, which nobody can read again."""

    binding_ticket: str = Field(repr=False)
    timestamp_expires: EpochMillis


CREATE_DEVICE_BINDING = Endpoint(
    "createDeviceBinding", "POST", "/v2/device-bindings", CreateDeviceBinding, DeviceBinding
)
DELETE_DEVICE_BINDING = Endpoint(
    "deleteDeviceBinding", "DELETE", "/v2/device-bindings/{ticket}", NoneType, StatusResponse
)
