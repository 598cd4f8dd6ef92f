"""Writes what became of messages: many in one transaction."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_push.devices.rules import token_digest
from powerauth_push.dispatch import repository, rules
from powerauth_push.dispatch.repository import Waiting
from powerauth_push.dispatch.rules import Fate, MessageStatus, Outgoing, Retries
from powerauth_push.providers.outcomes import Outcome
from servicekit import clock

_STATUS: Mapping[Fate, MessageStatus] = {
    Fate.SENT: MessageStatus.SENT,
    Fate.FAILED: MessageStatus.FAILED,
}


class Campaigns(Protocol):
    """What campaigns have to do with what becomes of their messages."""

    async def lock_all(self, session: AsyncSession, numbers: Collection[int], /) -> None:
        """Lock campaigns before anything of the queue: whoever ends or holds one takes them in this order."""

    async def settle(
        self, session: AsyncSession, counts: Mapping[int, Counter[str]], again: Collection[int], /
    ) -> None:
        """Add to the counts ``sent`` and ``failed``, and hear of which ones messages wait again."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A message with what became of an attempt to send it.

    :ivar written: done once that is in the database
    """

    item: Outgoing
    outcome: Outcome
    written: asyncio.Future[None]


async def settle(
    session: AsyncSession, owner: str, retries: Retries, batch: Sequence[Settled], campaigns: Campaigns
) -> None:
    """Take what is finished out of the queue, let the rest wait, and note it where it is counted.

    What another process has taken over meanwhile is that one's to settle.

    Rows are locked in one order everywhere: campaigns, the queue, the log, registrations, of each kind the
    lowest number first.
    """
    await campaigns.lock_all(session, {one.item.campaign for one in batch if one.item.campaign is not None})
    now = clock.now()
    fates = [(one, *rules.fate(one.item, one.outcome, retries, now)) for one in batch]
    rows = {one.item.row: fate for one, fate, _ in fates if one.item.row is not None}
    ours = await repository.lock(session, owner, rows)
    await repository.remove(session, [row for row in ours if rows[row] is not Fate.LATER])
    await repository.postpone(session, _waiting(fates, ours, now))
    await repository.add(session, [_queued(one, due, now) for one, due in _newly_waiting(fates)])
    counted = [(one, fate) for one, fate, _ in fates if one.item.row is None or one.item.row in ours]
    await _log(session, counted)
    gone = {
        (one.item.registration, token_digest(one.item.device.token))
        for one, _fate in counted
        if one.outcome.ends_registration and one.item.device is not None
    }
    await repository.forget_registrations(session, gone)
    again = {
        one.item.campaign for one, fate, _ in fates if fate is Fate.LATER and one.item.campaign is not None
    }
    await campaigns.settle(session, _counts(counted), again)


Fated = Sequence[tuple[Settled, Fate, datetime]]


def _waiting(fates: Fated, ours: Collection[int], now: datetime) -> dict[int, Waiting]:
    return {
        row: Waiting(
            due,
            rules.attempts_with(one.item, one.outcome),
            rules.first_with(one.item, one.outcome, now),
        )
        for one, fate, due in fates
        if fate is Fate.LATER and (row := one.item.row) is not None and row in ours
    }


def _newly_waiting(fates: Fated) -> list[tuple[Settled, datetime]]:
    return [(one, due) for one, fate, due in fates if fate is Fate.LATER and one.item.row is None]


def _queued(one: Settled, due: datetime, now: datetime) -> dict[str, Any]:
    return queued(one.item, due) | {
        "attempts": rules.attempts_with(one.item, one.outcome),
        "timestamp_first": rules.first_with(one.item, one.outcome, now),
    }


def taken(item: Outgoing, owner: str, until: datetime) -> dict[str, Any]:
    """The row of a message that this process is sending."""
    return queued(item, until) | {"attempts": item.attempts + 1, "lease_owner": owner}


def queued(item: Outgoing, due: datetime) -> dict[str, Any]:
    """The row of a message that waits."""
    return {
        "delivery_key": str(item.key),
        "provider": item.provider,
        "app_id": item.app_number,
        "device_registration_id": item.registration,
        "activation_id": item.activation,
        "message_id": item.record,
        "campaign_id": item.campaign,
        "operation_id": item.announces,
        "message": item.text,
        "attempts": 0,
        "timestamp_first": None,
        "lease_owner": None,
        "timestamp_due": due,
        "timestamp_created": item.created,
        "traceparent": item.traceparent,
    }


async def _log(session: AsyncSession, counted: Sequence[tuple[Settled, Fate]]) -> None:
    records: defaultdict[MessageStatus, list[int]] = defaultdict(list)
    for one, fate in counted:
        if one.item.record is not None and fate in _STATUS:
            records[_STATUS[fate]].append(one.item.record)
    for status, which in records.items():
        await repository.set_status(session, status, which)


def _counts(counted: Sequence[tuple[Settled, Fate]]) -> dict[int, Counter[str]]:
    """Sent and failed messages of each campaign."""
    counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for one, fate in counted:
        if one.item.campaign is not None and fate is not Fate.LATER:
            counts[one.item.campaign]["sent" if fate is Fate.SENT else "failed"] += 1
    return counts
