"""Turns campaigns into messages of the queue, a page at a time (spec/push-api.md §15.1).

A page of messages is queued in the transaction that notes how far the campaign has come: whenever the process
is killed, the next one goes on behind the last message that was queued, and none is queued twice. One process
at a time does it for all campaigns, so that the rate of each provider holds for the installation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.push.campaigns import CampaignState
from powerauth_contracts.push.messages import MessageBody
from powerauth_push.campaigns import repository
from powerauth_push.campaigns.models import Campaign
from powerauth_push.campaigns.rules import Pacer
from powerauth_push.dispatch import repository as queue
from powerauth_push.dispatch.dispatcher import Dispatcher
from powerauth_push.dispatch.settlement import queued
from powerauth_push.messages.addressing import NewMessage, new_message, outgoing
from powerauth_push.settings import PushSettings
from servicekit import clock
from servicekit.database import Database, after_commit
from servicekit.errors import Unavailable
from servicekit.jobs import Job, JobRunner
from servicekit.logs import get_logger
from servicekit.waiting import set_within

_log = get_logger(__name__)

_JOB = "campaigns"
_FULL_SECONDS = 0.05
"""How long to wait while nothing fits into the queue."""


class CampaignStream:
    """Queues the messages of running campaigns."""

    def __init__(self, settings: PushSettings, database: Database, dispatcher: Dispatcher) -> None:
        self._settings = settings
        self._database = database
        self._dispatcher = dispatcher
        self._alone = JobRunner(database, [Job(_JOB, 1.0, self.run)])
        self._pacer = Pacer(
            {
                "apns": settings.campaign_rate_apns,
                "fcm": settings.campaign_rate_fcm,
                "hms": settings.campaign_rate_hms,
            }
        )
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Work on running campaigns from now on, unless another process does."""
        self._loop = asyncio.create_task(self._serve(), name="push campaigns")

    async def stop(self) -> None:
        """Finish the page at hand."""
        self._stopping.set()
        self._wake.set()
        if self._loop is not None:
            await self._loop

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    async def run(self) -> None:
        """Work until no campaign is running any more, or this process stops."""
        while not self._stopping.is_set():
            numbers = await self._running()
            if not numbers:
                return
            if not any([await self._advanced(number) for number in numbers]):
                await set_within(self._stopping, _FULL_SECONDS)

    async def _advanced(self, number: int) -> bool:
        """As `advance`; a campaign that cannot go on holds up no other."""
        try:
            return await self.advance(number)
        except Unavailable:
            raise
        except Exception:
            _log.exception("campaign not advanced", campaign=number)
            return False

    async def advance(self, number: int) -> bool:
        """Queue a page of a campaign, or complete it; whether anything was done."""
        async with self._database.transaction() as session:
            campaign = await repository.lock(session, self._database.dialect, number)
            if campaign is None or campaign.state != CampaignState.RUNNING:
                return False
            if await self._give_moments(session, number):
                return True
            waiting = await repository.queued(session, number)
            room = min(self._settings.campaign_page_size, self._settings.campaign_queue_size - waiting)
            if room <= 0:
                return False
            if await self._queue_page(session, campaign, room):
                return True
            return not waiting and await _complete(session, campaign)

    async def _give_moments(self, session: AsyncSession, number: int) -> bool:
        """Let what waits since a pause go on."""
        held = await repository.held(session, number)
        if not held:
            return False
        moments = await self._moments(session, [provider for _, provider in held])
        await repository.set_due(session, {row: due for (row, _), due in zip(held, moments, strict=True)})
        after_commit(session, lambda: self._dispatcher.wake(*{provider for _, provider in held}))
        return True

    async def _moments(self, session: AsyncSession, providers: Sequence[str]) -> list[datetime]:
        """When a message to each of the providers is due; what held or dropped ones had is given again."""
        now = clock.now()
        self._pacer.take_back(await repository.last_moments(session, self._pacer.limited), now)
        return [self._pacer.due(provider, now) for provider in providers]

    async def _queue_page(self, session: AsyncSession, campaign: Campaign, limit: int) -> bool:
        devices = await repository.next_devices(session, campaign, limit)
        if not devices:
            return False
        message = message_of(campaign)
        items = [replace(outgoing(message, row), campaign=campaign.id) for row in devices if row.is_active]
        await repository.pass_over(session, campaign.id, [row.id for row in devices if not row.is_active])
        moments = await self._moments(session, [item.provider for item in items])
        await queue.add(session, [queued(item, due) for item, due in zip(items, moments, strict=True)])
        campaign.last_registration_id = devices[-1].id
        campaign.queued_count += len(items)
        after_commit(session, lambda: self._dispatcher.wake(*{item.provider for item in items}))
        return True

    async def _serve(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                if await self._running():
                    await self._alone.run_once(_JOB)
            except Unavailable as error:
                _log.warning("campaigns put off", reason=str(error))
            except Exception:
                _log.exception("campaigns failed")
            await set_within(self._wake, self._settings.delivery_poll_seconds)

    async def _running(self) -> list[int]:
        async with self._database.read() as session:
            return list(await repository.running(session))


def message_of(campaign: Campaign, user_id: str = "") -> NewMessage:
    """The message of a campaign: shown, and not only to active activations (§15)."""
    return new_message(MessageBody.model_validate_json(campaign.message), user_id)


async def _complete(session: AsyncSession, campaign: Campaign) -> bool:
    """Nothing is left to queue or to send."""
    await repository.forget_turns(session, campaign.id)
    campaign.state = CampaignState.COMPLETED.value
    campaign.is_sent, campaign.timestamp_completed = True, clock.now()
    return True
