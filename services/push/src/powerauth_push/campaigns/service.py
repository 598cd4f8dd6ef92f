"""Campaigns: their message, their users, and how far they have come (spec/push-api.md §15)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.push.campaigns import CampaignState
from powerauth_push.campaigns import repository
from powerauth_push.campaigns.models import Campaign
from powerauth_push.campaigns.ports import Ports
from powerauth_push.campaigns.stream import message_of
from powerauth_push.errors import DataConflict, PushError
from powerauth_push.messages import service as messages
from servicekit import clock
from servicekit.database import Database, after_commit

LONGEST_MESSAGE = 4_000


class CampaignNotFound(PushError):
    """No campaign has this number."""

    message = "The campaign does not exist"


class CampaignStateRefused(PushError):
    """The state of the campaign does not allow it."""

    message = "The state of the campaign does not allow it"


async def create(ports: Ports, app_id: str, message: str) -> int:
    """Make a campaign; its number.

    :param message: the body as JSON
    :raises ApplicationNotFound: there is no such application
    :raises DataConflict: the message is too long
    """
    app_number = await ports.applications.number(app_id)
    if len(message) > LONGEST_MESSAGE:
        raise DataConflict
    campaign = Campaign(app_id=app_number, message=message, timestamp_created=clock.now())
    async with ports.database.transaction() as session:
        session.add(campaign)
        await session.flush()
        return campaign.id


async def delete(database: Database, number: int) -> bool:
    """Delete a campaign in whatever state, and its users; whether there was one."""
    async with database.transaction() as session:
        return await repository.remove(session, database.dialect, number)


async def detail(database: Database, number: int) -> tuple[Campaign, str]:
    """A campaign and the id of its application.

    :raises CampaignNotFound: there is none
    """
    async with database.read() as session:
        found = await repository.find(session, number)
    if found is None:
        raise CampaignNotFound
    return found


async def list_all(database: Database, *, sent_too: bool) -> Sequence[tuple[Campaign, str]]:
    """Campaigns that were not sent yet, or all."""
    async with database.read() as session:
        return await repository.list_all(session, sent_too=sent_too)


async def add_users(database: Database, number: int, users: Collection[str]) -> None:
    """Add users to a campaign that has not begun.

    :raises CampaignNotFound: there is none
    :raises CampaignStateRefused: it has begun
    """
    async with _in_state(database, number, CampaignState.CREATED) as (session, _campaign):
        await repository.add_users(session, database.dialect, number, dict.fromkeys(users), clock.now())


async def list_users(database: Database, number: int, page: int, size: int) -> Sequence[str]:
    """A page of a campaign's users."""
    async with database.read() as session:
        return await repository.users(session, number, page * size, size)


async def remove_users(database: Database, number: int, users: Sequence[str]) -> None:
    """Remove users; those that are no users of the campaign are passed over."""
    async with database.transaction() as session:
        await repository.remove_users(session, database.dialect, number, users)


async def send_test(ports: Ports, number: int, user_id: str) -> None:
    """Send the message to one user; the campaign stays as it is.

    :raises CampaignNotFound: there is none
    """
    campaign, app_id = await detail(ports.database, number)
    await messages.send(ports, app_id, [message_of(campaign, user_id)])


async def send_live(ports: Ports, number: int) -> None:
    """Begin to send a campaign to its users, once in its life.

    :raises CampaignNotFound: there is none
    :raises CampaignStateRefused: that has been done
    """
    async with _in_state(ports.database, number, CampaignState.CREATED) as (session, campaign):
        campaign.state, campaign.timestamp_sent = CampaignState.RUNNING.value, clock.now()
        campaign.highest_registration_id = await repository.highest_registration(session, campaign.app_id)
        after_commit(session, ports.stream.wake)


async def pause(database: Database, number: int) -> None:
    """Let a running campaign wait; what is under way ends.

    :raises CampaignNotFound: there is none
    :raises CampaignStateRefused: it is not running
    """
    async with _in_state(database, number, CampaignState.RUNNING) as (session, campaign):
        campaign.state = CampaignState.PAUSED.value
        await repository.hold(session, number)


async def resume(ports: Ports, number: int) -> None:
    """Go on where a campaign was paused.

    :raises CampaignNotFound: there is none
    :raises CampaignStateRefused: it does not wait
    """
    async with _in_state(ports.database, number, CampaignState.PAUSED) as (session, campaign):
        campaign.state = CampaignState.RUNNING.value
        after_commit(session, ports.stream.wake)


async def cancel(database: Database, number: int) -> None:
    """Send no more of a campaign, for good.

    :raises CampaignNotFound: there is none
    :raises CampaignStateRefused: it is not being sent
    """
    states = (CampaignState.RUNNING, CampaignState.PAUSED)
    async with _in_state(database, number, *states) as (session, campaign):
        campaign.state, campaign.timestamp_completed = CampaignState.CANCELED.value, clock.now()
        campaign.queued_count -= await repository.drop_queued(session, number)
        await repository.forget_turns(session, number)


@asynccontextmanager
async def _in_state(
    database: Database, number: int, *states: CampaignState
) -> AsyncGenerator[tuple[AsyncSession, Campaign]]:
    """A campaign, locked in one of these states."""
    async with database.transaction() as session:
        campaign = await repository.lock(session, database.dialect, number)
        if campaign is None:
            raise CampaignNotFound
        if campaign.state not in states:
            raise CampaignStateRefused(f"The campaign is {campaign.state}")
        yield session, campaign
