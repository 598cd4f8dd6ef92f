"""The inbox (spec/push-api.md §16)."""

from __future__ import annotations

from enum import StrEnum
from types import NoneType
from typing import Annotated

from pydantic import BeforeValidator, Field

from powerauth_contracts.fields import Switch
from powerauth_contracts.push.calls import Id, PageQuery, PushCall
from powerauth_contracts.wire import CoreDateTime, Open, RequestModel, WireModel

MOST_APPLICATIONS = 100
LONGEST_BODY = 65_536


class InboxMessageType(StrEnum):
    """What the body is: text, or an HTML document."""

    TEXT = "text"
    HTML = "html"


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Headline = Annotated[str, Field(min_length=8, max_length=255)]
ApplicationName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{3,255}$")]


class CreateInboxMessageRequest(RequestModel):
    """``inbox/messages``."""

    user_id: Id
    type: Annotated[InboxMessageType, BeforeValidator(_lower)]
    subject: Headline
    summary: Headline
    body: Annotated[str, Field(min_length=8, max_length=LONGEST_BODY)]
    applications: list[ApplicationName] = Field(min_length=1, max_length=MOST_APPLICATIONS)


class InboxMessageItem(WireModel):
    """What a list shows of a message."""

    id: str
    type: Open[InboxMessageType]
    subject: str
    summary: str
    read: bool
    timestamp_created: CoreDateTime


class InboxMessageDetail(InboxMessageItem):
    """A whole message."""

    user_id: str
    body: str
    timestamp_read: CoreDateTime | None = None
    applications: list[str]


class ListInboxQuery(PageQuery):
    """``inbox/messages/list``; ``applications`` are separated by commas."""

    user_id: Id
    applications: Annotated[str, Field(min_length=1, max_length=4_096)]
    only_unread: Switch = False

    @property
    def application_ids(self) -> list[str]:
        """The applications."""
        return self.applications.split(",")


class CountInboxQuery(RequestModel):
    """``inbox/messages/count``."""

    user_id: Id
    app_id: Id


class UnreadCount(WireModel):
    """How many messages are unread."""

    count_unread: int


class InboxMessageQuery(RequestModel):
    """``inbox/messages/detail``."""

    id: Id


class ReadMessageRequest(RequestModel):
    """``inbox/messages/read``."""

    inbox_id: Id


class ReadAllRequest(RequestModel):
    """``inbox/messages/read-all``."""

    user_id: Id
    app_id: Id


CREATE = PushCall(
    ("POST",),
    "/inbox/messages",
    CreateInboxMessageRequest,
    InboxMessageDetail,
    "Store a message for a user.",
    declares=True,
)
LIST = PushCall(
    ("GET",),
    "/inbox/messages/list",
    ListInboxQuery,
    list[InboxMessageItem],
    "A user's messages, newest first.",
    reads="query",
    paged=True,
    declares=True,
)
COUNT = PushCall(
    ("GET",),
    "/inbox/messages/count",
    CountInboxQuery,
    UnreadCount,
    "How many messages of a user are unread.",
    reads="query",
    declares=True,
)
DETAIL = PushCall(
    ("GET",),
    "/inbox/messages/detail",
    InboxMessageQuery,
    InboxMessageDetail,
    "A whole message.",
    reads="query",
    declares=True,
)
READ = PushCall(
    ("POST",),
    "/inbox/messages/read",
    ReadMessageRequest,
    InboxMessageDetail,
    "Mark a message as read.",
    declares=True,
)
READ_ALL = PushCall(
    ("POST",),
    "/inbox/messages/read-all",
    ReadAllRequest,
    NoneType,
    "Mark all messages of a user as read.",
    declares=True,
)
