"""Messages and their sending (spec/push-api.md §8, §9)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field

from powerauth_contracts.fields import Switch
from powerauth_contracts.push.calls import Id, Instant, PushCall
from powerauth_contracts.wire import RequestModel, WireModel

LARGEST_BATCH = 20
MAX_EXTRAS = 100


class Mode(StrEnum):
    """Whether a sending waits for the providers."""

    SYNCHRONOUS = "SYNCHRONOUS"
    ASYNCHRONOUS = "ASYNCHRONOUS"


class Priority(StrEnum):
    """How urgent a message is."""

    HIGH = "HIGH"
    NORMAL = "NORMAL"


class MessageBody(RequestModel):
    """What a message says; which members mean what to which provider: spec/push-api.md §13."""

    title: str | None = Field(default=None, repr=False)
    title_loc_key: str | None = None
    title_loc_args: list[str] | None = Field(default=None, repr=False)
    body: str | None = Field(default=None, repr=False)
    body_loc_key: str | None = None
    body_loc_args: list[str] | None = Field(default=None, repr=False)
    icon: str | None = None
    badge: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None
    sound: str | None = None
    category: str | None = None
    collapse_key: str | None = None
    valid_until: Instant | None = None
    extras: dict[str, Any] | None = Field(default=None, max_length=MAX_EXTRAS, repr=False)


class MessageAttributes(RequestModel):
    """``silent``: the app shows nothing by itself. ``personal``: only to devices of active activations."""

    silent: Switch = False
    personal: Switch = False


class PushMessage(RequestModel):
    """A message to a user, or to one of the user's activations."""

    user_id: Id
    activation_id: Annotated[str, Field(max_length=37)] | None = None
    priority: Priority = Priority.HIGH
    attributes: MessageAttributes = Field(default_factory=MessageAttributes)
    body: MessageBody


class SendRequest(RequestModel):
    """``push/message/send``."""

    app_id: Id
    mode: Mode = Mode.SYNCHRONOUS
    message: PushMessage


class SendBatchRequest(RequestModel):
    """``push/message/batch/send``."""

    app_id: Id
    mode: Mode = Mode.SYNCHRONOUS
    batch: list[PushMessage] = Field(min_length=1, max_length=LARGEST_BATCH)


class Counters(WireModel):
    """What became of the messages to the devices of one provider."""

    sent: int = 0
    failed: int = 0
    pending: int = 0
    total: int = 0


class SendResponse(WireModel):
    """The counters stand in the answer of a synchronous sending only."""

    mode: Mode
    apns: Counters | None = None
    fcm: Counters | None = None
    hms: Counters | None = None


SEND = PushCall(("POST",), "/push/message/send", SendRequest, SendResponse, "Send a message.")
SEND_BATCH = PushCall(
    ("POST",), "/push/message/batch/send", SendBatchRequest, SendResponse, "Send several messages."
)
