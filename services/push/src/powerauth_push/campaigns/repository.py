"""Queries for campaigns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Integer, Table, and_, bindparam, delete, exists, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from powerauth_contracts.push.campaigns import CampaignState
from powerauth_push.applications.models import AppCredentials
from powerauth_push.campaigns.models import Campaign, CampaignUser, PassedOver, RemovedUser
from powerauth_push.campaigns.rules import FAR_FUTURE
from powerauth_push.devices.models import DeviceRegistration
from powerauth_push.devices.rules import PROVIDERS
from powerauth_push.dispatch.models import Delivery
from servicekit.database import Dialect, conflict_insert, for_update

_CAMPAIGN = cast(Table, Campaign.__table__)
_DELIVERY = cast(Table, Delivery.__table__)
_USERS = cast(Table, CampaignUser.__table__)
_SLICE = 1_000


async def find(session: AsyncSession, number: int) -> tuple[Campaign, str] | None:
    """A campaign and the id of its application."""
    statement = (
        select(Campaign, AppCredentials.app_id)
        .join(AppCredentials, AppCredentials.id == Campaign.app_id)
        .where(Campaign.id == number)
    )
    found = (await session.execute(statement)).one_or_none()
    return None if found is None else (found[0], found[1])


async def lock(session: AsyncSession, dialect: Dialect, number: int) -> Campaign | None:
    """A campaign, locked until the end of the transaction."""
    statement = select(Campaign).where(Campaign.id == number)
    return await session.scalar(for_update(statement, dialect))


async def lock_all(session: AsyncSession, numbers: Collection[int]) -> None:
    """Lock campaigns; who changes their messages too begins so, lest two wait for each other."""
    if numbers and session.get_bind().dialect.name == "postgresql":
        statement = select(Campaign.id).where(Campaign.id.in_(numbers)).order_by(Campaign.id)
        await session.execute(statement.with_for_update())


async def list_all(session: AsyncSession, *, sent_too: bool) -> Sequence[tuple[Campaign, str]]:
    """Campaigns with the ids of their applications, oldest first."""
    statement = (
        select(Campaign, AppCredentials.app_id)
        .join(AppCredentials, AppCredentials.id == Campaign.app_id)
        .order_by(Campaign.id)
    )
    if not sent_too:
        statement = statement.where(Campaign.is_sent.is_(False))
    return [(row, app_id) for row, app_id in (await session.execute(statement)).all()]


async def running(session: AsyncSession) -> Sequence[int]:
    """The campaigns that are being sent."""
    statement = select(Campaign.id).where(Campaign.state == CampaignState.RUNNING).order_by(Campaign.id)
    return (await session.scalars(statement)).all()


async def remove(session: AsyncSession, dialect: Dialect, number: int) -> bool:
    """Delete a campaign with its users and what is queued of it; whether there was one."""
    if await lock(session, dialect, number) is None:
        return False
    await session.execute(delete(CampaignUser).where(CampaignUser.campaign_id == number))
    await drop_queued(session, number)
    await forget_turns(session, number)
    await session.execute(delete(Campaign).where(Campaign.id == number))
    return True


async def add_users(
    session: AsyncSession, dialect: Dialect, number: int, users: Collection[str], now: datetime
) -> None:
    """Add users, each once."""
    rows = [{"campaign_id": number, "user_id": user, "timestamp_created": now} for user in users]
    connection = await session.connection()
    insert = conflict_insert(dialect, _USERS)
    statement = insert.on_conflict_do_nothing(index_elements=["campaign_id", "user_id"])
    for start in range(0, len(rows), _SLICE):
        await connection.execute(statement, rows[start : start + _SLICE])


async def remove_users(session: AsyncSession, dialect: Dialect, number: int, users: Sequence[str]) -> None:
    """Remove users; of whom a campaign that has begun remembers which devices may have had the message."""
    campaign = await lock(session, dialect, number)
    if campaign is None:
        return
    for start in range(0, len(users), _SLICE):
        some = users[start : start + _SLICE]
        removed = await session.scalars(
            delete(CampaignUser)
            .where(CampaignUser.campaign_id == number, CampaignUser.user_id.in_(some))
            .returning(CampaignUser.user_id)
        )
        behind = {"campaign_id": number, "removed_behind": campaign.last_registration_id}
        rows = [behind | {"user_id": user} for user in removed]
        if rows and campaign.last_registration_id:
            await session.execute(insert(RemovedUser), rows)


async def users(session: AsyncSession, number: int, offset: int, limit: int) -> Sequence[str]:
    """Users of a campaign, in the order in which they were added."""
    statement = (
        select(CampaignUser.user_id)
        .where(CampaignUser.campaign_id == number)
        .order_by(CampaignUser.id)
        .offset(offset)
        .limit(limit)
    )
    return (await session.scalars(statement)).all()


async def next_devices(session: AsyncSession, campaign: Campaign, limit: int) -> Sequence[DeviceRegistration]:
    """The registrations of the campaign's users behind the last one, in the order of their numbers.

    A token gets one message, however many activations are registered at it, and whether or not they are
    active still when it is the turn of the next: of those at one token only the first active one is among
    them. One that is not active gets nothing; note it as passed over, lest it silence those behind it.
    """
    page = await session.scalars(_of_users(campaign).order_by(DeviceRegistration.id).limit(limit))
    found: Sequence[DeviceRegistration] = page.all()
    return found


def _of_users(campaign: Campaign) -> Any:
    device, earlier = DeviceRegistration, aliased(DeviceRegistration)
    is_addressed = exists().where(
        CampaignUser.campaign_id == campaign.id, CampaignUser.user_id == device.user_id
    )
    earlier_is_addressed = exists().where(
        CampaignUser.campaign_id == campaign.id, CampaignUser.user_id == earlier.user_id
    )
    earlier_was_addressed = exists().where(
        RemovedUser.campaign_id == campaign.id,
        RemovedUser.user_id == earlier.user_id,
        RemovedUser.removed_behind >= earlier.id,
    )
    is_passed_over = exists().where(
        PassedOver.campaign_id == campaign.id, PassedOver.registration_id == earlier.id
    )
    last = campaign.last_registration_id
    has_earlier = exists().where(
        earlier.app_id == device.app_id,
        earlier.push_token_digest == device.push_token_digest,
        earlier.platform == device.platform,
        or_(and_(earlier.id <= last, ~is_passed_over), and_(earlier.id > last, earlier.is_active)),
        earlier.id < device.id,
        or_(earlier_is_addressed, earlier_was_addressed),
    )
    return select(device).where(
        device.app_id == campaign.app_id,
        device.id > last,
        device.id <= campaign.highest_registration_id,
        device.platform.in_(PROVIDERS),
        is_addressed,
        ~has_earlier,
    )


async def pass_over(session: AsyncSession, number: int, registrations: Collection[int]) -> None:
    """Note that registrations were not active when it was their turn."""
    if registrations:
        rows = [{"campaign_id": number, "registration_id": one} for one in registrations]
        await session.execute(insert(PassedOver), rows)


async def forget_turns(session: AsyncSession, number: int) -> None:
    """A campaign is over: nobody asks any more who was passed over or removed on the way."""
    await session.execute(delete(PassedOver).where(PassedOver.campaign_id == number))
    await session.execute(delete(RemovedUser).where(RemovedUser.campaign_id == number))


async def highest_registration(session: AsyncSession, app_number: int) -> int:
    """The last registration of an application."""
    statement = select(func.max(DeviceRegistration.id)).where(DeviceRegistration.app_id == app_number)
    return await session.scalar(statement) or 0


async def queued(session: AsyncSession, number: int) -> int:
    """How many messages of a campaign are in the queue."""
    statement = select(func.count(Delivery.id)).where(Delivery.campaign_id == number)
    return int(await session.scalar(statement) or 0)


async def hold(session: AsyncSession, number: int) -> None:
    """Let what nobody is sending of a campaign wait until it is given a moment again."""
    await session.execute(
        update(Delivery)
        .where(Delivery.campaign_id == number, Delivery.lease_owner.is_(None))
        .values(timestamp_due=FAR_FUTURE)
    )


async def held(session: AsyncSession, number: int) -> Sequence[tuple[int, str]]:
    """What waits so: rows and their providers."""
    statement = (
        select(Delivery.id, Delivery.provider)
        .where(Delivery.campaign_id == number, Delivery.timestamp_due == FAR_FUTURE)
        .order_by(Delivery.id)
    )
    return [(row, provider) for row, provider in (await session.execute(statement)).all()]


async def last_moments(session: AsyncSession, providers: Sequence[str]) -> dict[str, datetime]:
    """The last moment that was given to a message which still waits for its first attempt, by provider."""
    if not providers:
        return {}
    waits = (
        Delivery.campaign_id.is_not(None),
        Delivery.lease_owner.is_(None),
        Delivery.attempts == 0,
        Delivery.timestamp_due < FAR_FUTURE,
    )
    last = select(func.max(Delivery.timestamp_due))
    probes = [last.where(Delivery.provider == one, *waits).scalar_subquery() for one in providers]
    found = (await session.execute(select(*probes))).one()
    return {provider: moment for provider, moment in zip(providers, found, strict=True) if moment is not None}


async def set_due(session: AsyncSession, due: Mapping[int, datetime]) -> None:
    """Give rows of the queue their moments."""
    if due:
        connection = await session.connection()
        await connection.execute(
            update(_DELIVERY)
            .where(_DELIVERY.c.id == bindparam("row"))
            .values(timestamp_due=bindparam("due")),
            [{"row": row, "due": moment} for row, moment in due.items()],
        )


async def drop_queued(session: AsyncSession, number: int) -> int:
    """Take a campaign out of the queue; how many messages. What is under way ends and is not tried again."""
    dropped = await session.execute(
        delete(Delivery).where(Delivery.campaign_id == number).returning(Delivery.id)
    )
    return len(dropped.all())


async def settle(session: AsyncSession, counts: Mapping[int, Counter[str]], again: Collection[int]) -> None:
    """Add to the counts of locked campaigns, and hold what waits again of those that are paused.

    :param again: campaigns of which messages wait again
    """
    await _count(session, counts)
    if again:
        paused = select(Campaign.id).where(Campaign.id.in_(again), Campaign.state == CampaignState.PAUSED)
        for number in (await session.scalars(paused)).all():
            await hold(session, number)


async def _count(session: AsyncSession, counts: Mapping[int, Counter[str]]) -> None:
    if not counts:
        return
    connection = await session.connection()
    await connection.execute(
        update(_CAMPAIGN)
        .where(_CAMPAIGN.c.id == bindparam("number"))
        .values(
            sent_count=_CAMPAIGN.c.sent_count + bindparam("sent", type_=Integer),
            failed_count=_CAMPAIGN.c.failed_count + bindparam("failed", type_=Integer),
        ),
        [
            {"number": number, "sent": counted["sent"], "failed": counted["failed"]}
            for number, counted in sorted(counts.items())
        ],
    )
