"""Campaigns (spec/push-api.md §15): each device once, whatever happens in between."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from push_client import Client, Service, waiting_for_locks
from push_phones import application, phone
from sqlalchemy import select, update

from powerauth_push.campaigns import repository as campaigns
from powerauth_push.campaigns.models import Campaign, PassedOver
from powerauth_push.campaigns.rules import FAR_FUTURE, Pacer
from powerauth_push.campaigns.stream import CampaignStream
from powerauth_push.dispatch.models import Delivery
from powerauth_push.providers.outcomes import Outcome, Verdict, failed
from servicekit import clock
from servicekit.testing import DIALECTS

CREATE = "/push/campaign/create"


async def campaign(service: Service, cloud: Client, phones: int) -> int:
    """A campaign to as many users, each with a phone."""
    await application(cloud)
    for number in range(phones):
        await phone(service, cloud, f"{number:02}", user=f"user-{number}")
    created = await cloud.ok("POST", CREATE, {"appId": "app-1", "message": {"title": "News"}})
    made: int = created["id"]
    users = [f"user-{number}" for number in range(phones)]
    await cloud.ok("PUT", f"/push/campaign/{made}/user/add", [*users, "nobody", "user-0"])
    return made


async def act(cloud: Client, number: int, action: str) -> None:
    path = f"send/live/{number}" if action == "live" else f"{number}/{action}"
    await cloud.ok("POST", f"/push/campaign/{path}")


async def progress(cloud: Client, number: int) -> dict[str, Any]:
    found: dict[str, Any] = await cloud.ok("GET", f"/push/campaign/{number}/progress")
    return {name: found[name] for name in ("state", "queued", "sent", "failed", "pending")}


async def finish(service: Service, number: int) -> None:
    """Queue and send until nothing is left to do."""
    while await service.push.stream.advance(number) or await service.push.dispatcher.run_due():
        pass


def small_pages(service: Service, page: int, queue: int) -> None:
    object.__setattr__(service.push.settings, "campaign_page_size", page)
    object.__setattr__(service.push.settings, "campaign_queue_size", queue)


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_each_device_gets_it_once_over_kills_and_pauses(service: Service, cloud: Client) -> None:
    number = await campaign(service, cloud, 9)
    small_pages(service, 2, 4)
    await act(cloud, number, "live")
    push = service.push
    assert await push.stream.advance(number)
    await push.dispatcher.run_due()
    assert await push.stream.advance(number)
    # The process is killed; another one goes on.
    other = CampaignStream(push.settings, push.database, push.dispatcher)
    assert await other.advance(number)
    assert not await other.advance(number), "the queue is full"
    await act(cloud, number, "pause")
    assert not await other.advance(number)
    assert await push.dispatcher.run_due() == 0
    assert await progress(cloud, number) == {
        "state": "PAUSED", "queued": 6, "sent": 2, "failed": 0, "pending": 4
    }  # fmt: skip
    await act(cloud, number, "resume")
    await finish(service, number)
    assert service.providers.tokens() == [f"token-{one:02}" for one in range(9)]
    assert (await cloud.ok("GET", f"/push/campaign/{number}/detail"))["sent"] is True
    done = {"state": "COMPLETED", "queued": 9, "sent": 9, "failed": 0, "pending": 0}
    assert await progress(cloud, number) == done
    assert await cloud.refused("POST", f"/push/campaign/send/live/{number}") == (400, "ERROR_GENERIC")


async def test_what_a_killed_process_was_sending_is_not_sent_again(service: Service, cloud: Client) -> None:
    number = await campaign(service, cloud, 2)
    await act(cloud, number, "live")
    await service.push.stream.advance(number)
    async with service.push.database.transaction() as session:
        first = select(Delivery.id).order_by(Delivery.id).limit(1).scalar_subquery()
        killed = update(Delivery).where(Delivery.id == first).values(lease_owner="killed", attempts=1)
        await session.execute(killed.execution_options(synchronize_session=False))
    await finish(service, number)
    assert service.providers.tokens() == ["token-01"]
    expected = {"state": "COMPLETED", "queued": 2, "sent": 1, "failed": 1, "pending": 0}
    assert await progress(cloud, number) == expected


async def test_only_what_cannot_have_arrived_is_tried_again(
    service: Service, cloud: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await campaign(service, cloud, 3)
    service.providers.answers |= {
        "token-00": Outcome(Verdict.LATER, "reset", uncertain=True),
        "token-01": Outcome(Verdict.LATER, "busy", retry_after=5),
        "token-02": failed("no"),
    }
    await act(cloud, number, "live")
    await service.push.stream.advance(number)
    await service.push.dispatcher.run_due()
    assert (await progress(cloud, number))["pending"] == 1
    del service.providers.answers["token-01"]
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(seconds=6))
    await finish(service, number)
    assert await progress(cloud, number) == {
        "state": "COMPLETED", "queued": 3, "sent": 1, "failed": 2, "pending": 0
    }  # fmt: skip


async def test_other_applications_tokens_and_inactive_activations_are_left_out(
    service: Service, cloud: Client
) -> None:
    number = await campaign(service, cloud, 1)
    await application(cloud, "app-2")
    await phone(service, cloud, "elsewhere", user="user-0", app="app-2")
    await phone(service, cloud, "blocked", user="user-0", status="BLOCKED")
    service.core.activation("twice", "user-0")
    object.__setattr__(service.push.settings, "registration_multiple_activations_enabled", True)
    both = {"appId": "app-1", "token": "token-00", "platform": "apns", "activationIds": ["00", "twice"]}
    await cloud.ok("POST", "/push/device/create/multi", both)
    await act(cloud, number, "live")
    await finish(service, number)
    assert service.providers.tokens() == ["token-00"]


async def test_a_token_gets_it_once_whatever_becomes_of_its_activations(
    service: Service, cloud: Client
) -> None:
    number = await campaign(service, cloud, 2)
    small_pages(service, 1, 4)
    service.core.activation("twice", "user-0")
    object.__setattr__(service.push.settings, "registration_multiple_activations_enabled", True)
    both = {"appId": "app-1", "token": "token-00", "platform": "apns", "activationIds": ["00", "twice"]}
    await cloud.ok("POST", "/push/device/create/multi", both)
    await act(cloud, number, "live")
    assert await service.push.stream.advance(number)
    await status(service, cloud, "00", "BLOCKED")
    service.core.activation("late", "user-1")
    await cloud.ok("POST", "/push/device/delete", {"appId": "app-1", "token": "token-01"})
    await phone(service, cloud, "late", user="user-1")
    await finish(service, number)
    assert service.providers.tokens() == ["token-00"], "it began before the other one was registered"


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_who_is_removed_on_the_way_gets_no_more_and_leaves_no_token_to_another(
    service: Service, cloud: Client
) -> None:
    number = await campaign(service, cloud, 3)
    small_pages(service, 1, 9)
    object.__setattr__(service.push.settings, "registration_multiple_activations_enabled", True)
    ids = ["00", service.core.activation("of another", "user-2")]
    shared = {"appId": "app-1", "token": "token-00", "platform": "apns", "activationIds": ids}
    await cloud.ok("POST", "/push/device/create/multi", shared)
    await act(cloud, number, "live")
    assert await service.push.stream.advance(number), "the turn of the first, whose token another has too"
    removed = f"/push/campaign/{number}/user"
    await cloud.ok("POST", f"{removed}/delete", ["user-0", "user-1"])
    assert (await cloud.ok("GET", f"{removed}/list"))["users"] == ["user-2", "nobody"]
    await finish(service, number)
    assert service.providers.tokens() == ["token-00", "token-02"]


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
@pytest.mark.parametrize("killed", [False, True])
async def test_an_activation_that_was_blocked_before_its_turn_silences_no_later_one(
    service: Service, cloud: Client, *, killed: bool
) -> None:
    number = await campaign(service, cloud, 1)
    small_pages(service, 1, 9)
    object.__setattr__(service.push.settings, "registration_multiple_activations_enabled", True)
    ids = ["00", *(service.core.activation(name, "user-0") for name in ("second", "third", "fourth"))]
    all_at_once = {"appId": "app-1", "token": "token-00", "platform": "apns", "activationIds": ids}
    await cloud.ok("POST", "/push/device/create/multi", all_at_once)
    await status(service, cloud, "00", "BLOCKED")
    await act(cloud, number, "live")
    push = service.push
    stream = push.stream
    assert await stream.advance(number)
    await status(service, cloud, "00", "ACTIVE")
    if killed:
        stream = CampaignStream(push.settings, push.database, push.dispatcher)
    await act(cloud, number, "pause")
    await act(cloud, number, "resume")
    assert await stream.advance(number), "the second one's turn"
    async with push.database.read() as session:
        assert await session.scalar(select(Delivery.activation_id)) == "second"
    await status(service, cloud, "second", "BLOCKED")
    while await stream.advance(number) or await push.dispatcher.run_due():
        pass
    assert service.providers.tokens() == ["token-00"]
    async with push.database.read() as session:
        assert (await session.scalars(select(PassedOver))).all() == [], "kept until it is over"


async def status(service: Service, cloud: Client, activation: str, status: str) -> None:
    """The core says what an activation's status is now."""
    service.core.activation(activation, "user-0", status=status)
    body = {"activationId": activation, "activationStatus": status}
    await cloud.send("POST", "/push/device/status/update", body)


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_what_comes_back_while_its_campaign_is_paused_waits_with_it(
    service: Service, cloud: Client
) -> None:
    number = await campaign(service, cloud, 1)
    await act(cloud, number, "live")
    await service.push.stream.advance(number)
    service.providers.answers["token-00"] = Outcome(Verdict.LATER, "busy")
    service.providers.hold.clear()
    sending = asyncio.create_task(service.push.dispatcher.run_due())
    await service.providers.arrived(1)
    await act(cloud, number, "pause")
    service.providers.hold.set()
    await sending
    async with service.push.database.read() as session:
        assert await session.scalar(select(Delivery.timestamp_due)) == FAR_FUTURE
    del service.providers.answers["token-00"]
    await act(cloud, number, "resume")
    await finish(service, number)
    assert (await progress(cloud, number))["sent"] == 1


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
@pytest.mark.parametrize("action", ["pause", "cancel", "delete"])
async def test_outcomes_and_the_end_of_a_campaign_do_not_wait_for_each_other(
    service: Service, cloud: Client, action: str
) -> None:
    number = await campaign(service, cloud, 2)
    await act(cloud, number, "live")
    await service.push.stream.advance(number)
    service.providers.hold.clear()
    sending = asyncio.create_task(service.push.dispatcher.run_due())
    await service.providers.arrived(2)
    async with service.push.database.transaction() as first:
        await campaigns.lock_all(first, [number])
        ending = asyncio.create_task(act(cloud, number, action))
        await waiting_for_locks(service, 1)
        service.providers.hold.set()
        await waiting_for_locks(service, 2)
        held = select(Delivery.id).with_for_update(nowait=True)
        assert len((await first.scalars(held)).all()) == 2, (
            "who waits for a campaign holds none of its messages"
        )
    await asyncio.gather(sending, ending)
    async with service.push.database.read() as session:
        assert (await session.scalars(select(Delivery.id))).all() == []
    if action != "delete":
        counted = {"pause": (2, 2), "cancel": (0, 0)}[action]
        told = await progress(cloud, number)
        assert (told["queued"], told["sent"], told["failed"]) == (*counted, 0)


async def test_a_campaign_that_cannot_go_on_holds_up_no_other(service: Service, cloud: Client) -> None:
    number = await campaign(service, cloud, 1)
    created = await cloud.ok("POST", CREATE, {"appId": "app-1", "message": {"title": "Old"}})
    async with service.push.database.transaction() as session:
        row = await session.get_one(Campaign, number)
        row.message = "unreadable"
    await cloud.ok("PUT", f"/push/campaign/{created['id']}/user/add", ["user-0"])
    for each in (number, created["id"]):
        await act(cloud, each, "live")
    service.push.dispatcher.start()
    running = asyncio.create_task(service.push.stream.run())
    await service.providers.arrived(1)
    await service.push.stream.stop()
    await running
    assert service.providers.tokens() == ["token-00"]


async def test_a_canceled_campaign_sends_no_more(service: Service, cloud: Client) -> None:
    number = await campaign(service, cloud, 4)
    small_pages(service, 2, 4)
    await act(cloud, number, "live")
    await service.push.stream.advance(number)
    await act(cloud, number, "cancel")
    await finish(service, number)
    assert service.providers.sent == []
    assert (await progress(cloud, number))["state"] == "CANCELED"
    assert await cloud.refused("POST", f"/push/campaign/{number}/resume") == (400, "ERROR_GENERIC")
    assert await cloud.ok("DELETE", f"/push/campaign/{number}/delete") == {"deleted": True}
    assert await cloud.ok("DELETE", f"/push/campaign/{number}/delete") == {"deleted": False}


async def test_a_test_goes_to_one_user_and_leaves_the_campaign_as_it_is(
    service: Service, cloud: Client
) -> None:
    number = await campaign(service, cloud, 2)
    await cloud.ok("POST", f"/push/campaign/send/test/{number}", {"userId": "user-1"})
    assert service.providers.tokens() == ["token-01"]
    assert [found["id"] for found in await cloud.ok("GET", "/push/campaign/list")] == [number]
    assert (await progress(cloud, number))["state"] == "CREATED"


async def test_a_running_service_sends_campaigns_by_itself(service: Service, cloud: Client) -> None:
    number = await campaign(service, cloud, 5)
    push = service.push
    push.dispatcher.start()
    push.stream.start()
    await act(cloud, number, "live")
    await service.providers.arrived(5)
    await push.stream.stop()
    await push.dispatcher.stop()
    assert sorted(service.providers.tokens()) == [f"token-{one:02}" for one in range(5)]


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
@pytest.mark.parametrize("action", ["pause", "cancel", "delete"])
async def test_moments_of_what_is_held_or_dropped_slow_no_other_campaign(
    service: Service, cloud: Client, monkeypatch: pytest.MonkeyPatch, action: str
) -> None:
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    push = service.push
    settings = push.settings.model_copy(update={"campaign_rate_apns": 1.0})
    stream = CampaignStream(settings, push.database, push.dispatcher)
    first = await campaign(service, cloud, 5)
    created = await cloud.ok("POST", CREATE, {"appId": "app-1", "message": {"title": "Next"}})
    second: int = created["id"]
    await cloud.ok("PUT", f"/push/campaign/{second}/user/add", [f"user-{one}" for one in range(2)])
    for each in (first, second):
        await act(cloud, each, "live")
    assert await stream.advance(first)
    assert await seconds_of(service, first, now) == [0, 1, 2, 3, 4]
    await act(cloud, first, action)
    assert await stream.advance(second)
    assert await seconds_of(service, second, now) == [1, 2], "the first moment may have been used"
    if action == "pause":
        await act(cloud, first, "resume")
        other = CampaignStream(settings, push.database, push.dispatcher)
        assert await other.advance(first), "another process goes on behind what waits"
        assert await seconds_of(service, first, now) == [3, 4, 5, 6, 7]


async def seconds_of(service: Service, number: int, now: datetime) -> list[float]:
    """In how many seconds the messages of a campaign are due."""
    moments = select(Delivery.timestamp_due).where(Delivery.campaign_id == number).order_by(Delivery.id)
    async with service.push.database.read() as session:
        return [(moment - now).total_seconds() for moment in await session.scalars(moments)]


def test_each_provider_has_its_rate() -> None:
    now = clock.now()
    pacer = Pacer({"apns": 10, "fcm": 0, "hms": 1})
    moments = [pacer.due("apns", now) for _ in range(3)]
    assert [round((moment - now).total_seconds(), 3) for moment in moments] == [0, 0.1, 0.2]
    assert pacer.due("fcm", now) == pacer.due("hms", now) == now
    later = now + timedelta(seconds=9)
    assert pacer.due("apns", later) == later, "what was not used is not made up for"
