"""Wire models of the inbox (spec/cloud-api.md §9.2, §9.3)."""

from __future__ import annotations

from types import NoneType

from pydantic import Field

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.cloud.messages import AppId, UserId
from powerauth_contracts.wire import EpochMillis, LongText, RequestModel, StatusResponse, WireModel


class CreateInboxMessage(RequestModel):
    """``POST /v2/inbox/messages``; lengths and the type are refused as ``ERROR_INBOX``."""

    user_id: UserId
    subject: LongText = Field(repr=False)
    summary: LongText = Field(repr=False)
    body: LongText = Field(repr=False)
    type: str = "text"
    silent: bool = False
    applications: list[str] | None = None


class InboxItem(WireModel):
    """A message in a list."""

    id: str
    type: str
    subject: str
    summary: str
    read: bool
    timestamp: EpochMillis


class InboxMessage(InboxItem):
    """A whole message; its user and when it was read are shown in the detail."""

    body: str
    user_id: str | None = None
    timestamp_read: EpochMillis | None = None


class InboxItems(WireModel):
    messages: list[InboxItem]


class UnreadMessages(WireModel):
    count_unread: int


class ReadAllMessages(RequestModel):
    """``POST /v2/inbox/messages/read-all``."""

    user_id: UserId
    app_id: AppId | None = None


_ONE = "/v2/inbox/messages/{id}"
CREATE_INBOX_MESSAGE = Endpoint(
    "createInboxMessage", "POST", "/v2/inbox/messages", CreateInboxMessage, InboxMessage
)
LIST_INBOX_MESSAGES = Endpoint("listInboxMessages", "GET", "/v2/inbox/messages", NoneType, InboxItems)
COUNT_INBOX_MESSAGES = Endpoint(
    "countInboxMessages", "GET", "/v2/inbox/messages/count", NoneType, UnreadMessages
)
READ_ALL_INBOX_MESSAGES = Endpoint(
    "readAllInboxMessages", "POST", "/v2/inbox/messages/read-all", ReadAllMessages, StatusResponse
)
GET_INBOX_MESSAGE = Endpoint("getInboxMessage", "GET", _ONE, NoneType, InboxMessage)
READ_INBOX_MESSAGE = Endpoint("readInboxMessage", "POST", f"{_ONE}/read", NoneType, StatusResponse)
