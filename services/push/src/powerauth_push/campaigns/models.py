"""Campaigns and their users (spec/push-api.md §19)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, Integer, String, false, text
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_push.base import Base, sequence_id
from servicekit.database import UtcTimestamp


class Campaign(Base):
    """One message to many users of an application.

    :ivar app_id: `AppCredentials.id`
    :ivar message: JSON of the body
    :ivar state: a `CampaignState`
    :ivar last_registration_id: the registrations up to this one have been queued
    :ivar highest_registration_id: the last one that there was when it began; later ones do not get it
    :ivar queued_count: messages that were queued; those whose outcome is known are in the other counts
    """

    __tablename__ = "push_campaign"
    __table_args__ = (Index("push_campaign_sent", "is_sent"), Index("push_campaign_state", "state"))

    id: Mapped[int] = sequence_id("push_campaign_seq")
    app_id: Mapped[int] = mapped_column(Integer)
    message: Mapped[str] = mapped_column(String(4000))
    is_sent: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether it was begun."""
    timestamp_created: Mapped[datetime] = mapped_column(UtcTimestamp)
    timestamp_sent: Mapped[datetime | None] = mapped_column(UtcTimestamp)
    """When it was begun."""
    timestamp_completed: Mapped[datetime | None] = mapped_column(UtcTimestamp)
    """When its last message had an outcome."""
    state: Mapped[str] = mapped_column(String(16), default="CREATED", server_default="CREATED")
    last_registration_id: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    highest_registration_id: Mapped[int | None] = mapped_column(Integer)
    sent_count: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    """Messages that a provider took."""
    failed_count: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    """Messages that failed."""
    queued_count: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))


class CampaignUser(Base):
    """A user whom a campaign is for."""

    __tablename__ = "push_campaign_user"
    __table_args__ = (
        Index("push_campaign_user_once", "campaign_id", "user_id", unique=True),
        Index("push_campaign_user_detail", "user_id"),
    )

    id: Mapped[int] = sequence_id("push_campaign_user_seq")
    campaign_id: Mapped[int] = mapped_column(Integer)
    """The campaign, `push_campaign.id`."""
    user_id: Mapped[str] = mapped_column(String(255))
    timestamp_created: Mapped[datetime] = mapped_column(UtcTimestamp)


class RemovedUser(Base):
    """A user whom a campaign that had begun was for.

    :ivar removed_behind: the registrations up to this one had had their turn by then
    """

    __tablename__ = "push_campaign_removed"

    campaign_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """The campaign, `push_campaign.id`."""
    user_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    removed_behind: Mapped[int] = mapped_column(Integer)


class PassedOver(Base):
    """A registration that was not active at its turn: its token may get the campaign by a later one."""

    __tablename__ = "push_campaign_passed"

    campaign_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """The campaign, `push_campaign.id`."""
    registration_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """The registration, `push_device_registration.id`."""
