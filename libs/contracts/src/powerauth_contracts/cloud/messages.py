"""Wire models of messages to a user (spec/cloud-api.md §9.1)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.cloud.verification import RegistrationId
from powerauth_contracts.wire import RequestModel, StatusResponse

MAX_EXTRAS = 100
UserId = Annotated[str, Field(min_length=1, max_length=255)]
AppId = Annotated[str, Field(min_length=1, max_length=255)]
Extras = Annotated[dict[str, Any], Field(max_length=MAX_EXTRAS)]


class SendMessage(RequestModel):
    """``POST /v2/messages/send``; title and message are needed unless it is silent."""

    user_id: UserId
    registration_id: RegistrationId | None = None
    silent: bool = False
    title: str | None = Field(default=None, repr=False)
    message: str | None = Field(default=None, repr=False)
    sound: str | None = Field(default=None, max_length=255)
    extras: Extras | None = Field(default=None, repr=False)
    app_id: AppId | None = None


SEND_MESSAGE = Endpoint("sendMessage", "POST", "/v2/messages/send", SendMessage, StatusResponse)
