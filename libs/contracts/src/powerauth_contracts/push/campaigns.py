"""Campaigns (spec/push-api.md §15)."""

from __future__ import annotations

from enum import StrEnum
from types import NoneType
from typing import Annotated

from pydantic import Field

from powerauth_contracts.fields import Switch
from powerauth_contracts.push.calls import Id, PageQuery, PushCall
from powerauth_contracts.push.messages import MessageBody
from powerauth_contracts.wire import CoreDateTime, Open, RequestModel, WireModel

MOST_USERS = 100_000
"""In one request."""


class CampaignState(StrEnum):
    """How far a campaign has come."""

    CREATED = "CREATED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    CANCELED = "CANCELED"
    COMPLETED = "COMPLETED"


class CreateCampaignRequest(RequestModel):
    """``push/campaign/create``."""

    app_id: Id
    message: MessageBody


class CreatedCampaign(WireModel):
    """The number of the new campaign."""

    id: int


class CampaignDetail(WireModel):
    """A campaign."""

    id: int
    app_id: str
    sent: bool
    message: MessageBody


class CampaignProgress(WireModel):
    """How far a campaign has come, in messages to devices; ours.

    ``queued`` is what was queued so far, and of it ``pending`` what has no outcome yet. ``rate``: whole
    outcomes a second since the start.
    """

    id: int
    state: Open[CampaignState]
    queued: int
    sent: int
    failed: int
    pending: int
    rate: int
    timestamp_sent: CoreDateTime | None = None
    timestamp_completed: CoreDateTime | None = None


class DeletedCampaign(WireModel):
    """Whether there was one."""

    deleted: bool


class ListCampaignsQuery(RequestModel):
    """``push/campaign/list``: those that were not sent yet, or all."""

    all: Switch = False


class Users(WireModel):
    """A page of the users of a campaign."""

    campaign_id: int
    users: list[str]


class TestCampaignRequest(RequestModel):
    """``push/campaign/send/test/{id}``: to one user."""

    user_id: Id


UserList: type[list[str]] = Annotated[list[Id], Field(max_length=MOST_USERS)]  # type: ignore[assignment]
"""Users, by their ids."""

_ID = "/push/campaign/{id}"
CREATE = PushCall(
    ("POST",), "/push/campaign/create", CreateCampaignRequest, CreatedCampaign, "Create a campaign."
)
DELETE = PushCall(
    ("POST", "DELETE"), f"{_ID}/delete", NoneType, DeletedCampaign, "Delete a campaign and its users."
)
DETAIL = PushCall(("GET",), f"{_ID}/detail", NoneType, CampaignDetail, "A campaign.")
PROGRESS = PushCall(("GET",), f"{_ID}/progress", NoneType, CampaignProgress, "How far a campaign has come.")
LIST = PushCall(
    ("GET",),
    "/push/campaign/list",
    ListCampaignsQuery,
    list[CampaignDetail],
    "Campaigns that were not sent yet, or all.",
    reads="query",
)
ADD_USERS = PushCall(("PUT", "POST"), f"{_ID}/user/add", UserList, NoneType, "Add users to a campaign.")
LIST_USERS = PushCall(
    ("GET",), f"{_ID}/user/list", PageQuery, Users, "Users of a campaign.", reads="query", paged=True
)
DELETE_USERS = PushCall(
    ("POST", "DELETE"), f"{_ID}/user/delete", UserList, NoneType, "Remove users from a campaign."
)
SEND_TEST = PushCall(
    ("POST",),
    "/push/campaign/send/test/{id}",
    TestCampaignRequest,
    NoneType,
    "Send a campaign's message to one user.",
)
SEND_LIVE = PushCall(
    ("POST",), "/push/campaign/send/live/{id}", NoneType, NoneType, "Send a campaign to its users."
)
PAUSE = PushCall(("POST",), f"{_ID}/pause", NoneType, NoneType, "Let a running campaign wait.")
RESUME = PushCall(("POST",), f"{_ID}/resume", NoneType, NoneType, "Go on with a campaign that waits.")
CANCEL = PushCall(("POST",), f"{_ID}/cancel", NoneType, NoneType, "Send no more of a campaign, for good.")
