"""New operations are announced by push: what, to whom, and that no outage loses or delays too much
(spec/cloud-api.md §13.2, §13.5).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cloud_client import Client, Service, Start, with_push
from cloud_fake_core import FakeCore
from cloud_fake_push import FakePush, PushRefusal
from sqlalchemy import func, select

from cloud_private_api.pushes import outbox, rules, statements
from cloud_private_api.pushes.models import PushOutbox
from cloud_private_api.registrations import activations
from servicekit import clock, metrics
from servicekit.database import Database
from servicekit.testing import DIALECTS, PATIENCE_SECONDS

PATH = "/v2/operations"
LOGIN = {"userId": "user-1", "template": "login"}
NEVER = 3600.0
"""Seconds that no test waits."""
FORMER = clock.now() - timedelta(days=2)
"""A time of which nothing is to be told any more."""
Later = Callable[[timedelta], None]


@pytest.fixture(autouse=True)
def _installation(core: FakeCore, push: FakePush) -> None:
    core.template("login", operationType="log-in")
    push.application("app-a")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Time passes."""
    begun, now = clock.now(), clock.now
    passed = [timedelta()]
    monkeypatch.setattr(clock, "now", lambda: now() + passed[0])
    assert clock.now() >= begun

    def pass_(time: timedelta) -> None:
        passed[0] += time

    return pass_


async def waiting(service: Service) -> list[str]:
    """The ids of what waits in the outbox."""
    async with service.cloud.database.read() as session:
        return list(await session.scalars(select(PushOutbox.id)))


async def due(service: Service) -> datetime | None:
    """When what waits is tried again."""
    async with service.cloud.database.read() as session:
        return (await session.scalars(select(PushOutbox.timestamp_due))).one_or_none()


async def is_empty(service: Service) -> bool:
    """Whether nothing waits."""
    return await waiting(service) == []


async def sent_by(push: FakePush, count: int) -> bool:
    """Whether push has taken so many messages."""
    return len(push.sent) == count


async def failed(service: Service) -> int | None:
    """How often what waits was tried in vain."""
    async with service.cloud.database.read() as session:
        return await session.scalar(select(func.max(PushOutbox.attempts)))


async def add_ended(service: Service, count: int) -> None:
    """What was announced and not sent in time."""
    texts = ("user-1", ["app-a"], "subject", "summary", FORMER)
    ended = [rules.of_inbox_message(f"ended-{number}", *texts) for number in range(count)]
    await statements.add(service.cloud.database, [(item, FORMER) for item in ended])


def unreadable(row_id: str) -> PushOutbox:
    """A row that is due and says nothing."""
    times = dict.fromkeys(("timestamp_created", "timestamp_due"), FORMER)
    later = clock.now() + timedelta(hours=1)
    return PushOutbox(id=row_id, content="{}", attempts=0, timestamp_expires=later, **times)


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait for what a running service does."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)


async def of_app_a(service: Service) -> Client:
    return await service.user("bank", ["app-a"])


async def announced(service: Service, **more: object) -> dict[str, Any]:
    """An operation that was announced."""
    made: dict[str, Any] = await (await of_app_a(service)).ok("POST", PATH, LOGIN | more)
    assert made["pushSent"] is True
    assert await service.cloud.outbox.run_due() == 1
    return made


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_what_push_is_given(pushing: Service, push: FakePush) -> None:
    admin = await pushing.user("admin", roles=["ROLE_ADMIN"])
    text = {"title": "Platba ${amount}", "summary": "Schvalte ${amount}${none}."}
    await admin.ok("PUT", "/admin/localizations/login/cs", text)
    made = await announced(pushing, language="CS", parameters={"amount": "10.00"})
    ((app_id, message),) = push.sent
    assert app_id == "app-a"
    assert message["userId"] == "user-1"
    assert message["attributes"] == {"silent": False, "personal": True}
    expires = message["body"].pop("validUntil")
    assert datetime.fromisoformat(expires).timestamp() * 1000 == made["timestampExpires"]
    assert message["body"] == {
        "title": "Platba 10.00",
        "body": "Schvalte 10.00.",
        "sound": "default",
        "category": "log-in",
        "extras": {
            "messageType": "mtoken.operationInit",
            "operationId": made["operationId"],
            "operationName": "log-in",
        },
    }
    assert await waiting(pushing) == []


@pytest.mark.parametrize(
    ("texts", "title"),
    [
        ({}, "Approval request"),
        ({"en": "Log in"}, "Log in"),
        ({"en": "Log in", "de": "Anmelden"}, "Anmelden"),
    ],
)
async def test_text_is_of_the_language_else_english_else_configured(
    pushing: Service, push: FakePush, texts: dict[str, str], title: str
) -> None:
    admin = await pushing.user("admin", roles=["ROLE_ADMIN"])
    for language, text in texts.items():
        path = f"/admin/localizations/login/{language}"
        await admin.ok("PUT", path, {"title": text, "summary": "summary"})
    await announced(pushing, language="de")
    assert push.sent[0][1]["body"]["title"] == title


async def test_texts_are_cut_to_what_providers_take(pushing: Service, push: FakePush) -> None:
    admin = await pushing.user("admin", roles=["ROLE_ADMIN"])
    await admin.ok("PUT", "/admin/localizations/login/en", {"title": "${text}", "summary": "${text}"})
    await announced(pushing, parameters={"text": "x" * 1_000})
    body = push.sent[0][1]["body"]
    assert (body["title"], body["body"]) == ("x" * 254 + "…", "x" * 511 + "…")


async def test_a_changed_text_is_used_at_once(pushing: Service, push: FakePush) -> None:
    admin = await pushing.user("admin", roles=["ROLE_ADMIN"])
    await announced(pushing)
    await admin.ok("PUT", "/admin/localizations/login/en", {"title": "New", "summary": "summary"})
    await pushing.client("bank").ok("POST", PATH, LOGIN)
    await pushing.cloud.outbox.run_due()
    assert push.sent[1][1]["body"]["title"] == "New"


async def test_a_bound_operation_is_announced_to_its_registration(pushing: Service, push: FakePush) -> None:
    registration = pushing.core.activation("app-a")
    await announced(pushing, registrationId=registration, flag="F")
    ((_, message),) = push.sent
    assert message["activationId"] == registration
    assert message["body"]["extras"]["activationId"] == registration


async def test_a_flagged_operation_is_announced_to_registrations_that_have_the_flag(
    pushing: Service, push: FakePush
) -> None:
    core = pushing.core
    wanted = {core.activation("app-a", activationFlags=["F"]) for _ in range(2)}
    core.activation("app-a")
    core.activation("app-a", "user-1", "BLOCKED", activationFlags=["F"])
    core.activation("app-a", "user-2", activationFlags=["F"])
    await announced(pushing, flag="F")
    assert {message["activationId"] for _, message in push.sent} == wanted


async def test_operations_go_to_the_applications_that_push_can_send_to(
    pushing: Service, push: FakePush
) -> None:
    push.application("app-b", "apns", "hms")
    push.applications["app-c"] = {}
    caller = await pushing.user("all", ["app-a", "app-b", "app-c", "app-d"])
    await caller.ok("POST", PATH, LOGIN)
    await pushing.cloud.outbox.run_due()
    assert [app_id for app_id, _ in push.sent] == ["app-a", "app-b"]


@pytest.mark.parametrize(
    ("body", "application"),
    [
        ({"silent": True}, "app-a"),
        ({"userId": None}, "app-a"),
        ({}, "app-unknown-to-push"),
    ],
)
async def test_what_is_not_announced_costs_no_row_and_is_told(
    pushing: Service, body: dict[str, Any], application: str
) -> None:
    caller = await pushing.user("bank", [application])
    made = await caller.ok("POST", PATH, LOGIN | body)
    assert made["pushSent"] is False
    assert await waiting(pushing) == []


async def test_without_a_push_service_nothing_is_announced(bank: Client, push: FakePush) -> None:
    made = await bank.ok("POST", PATH, LOGIN)
    assert made["pushSent"] is False
    assert push.calls == []


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_of_what_waits_the_newest_goes_first_and_the_oldest_is_not_forgotten(
    pushing: Service, push: FakePush, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_UNDER_WAY", 4)
    bank = await of_app_a(pushing)
    made = [(await bank.ok("POST", PATH, LOGIN))["operationId"] for _ in range(8)]
    for wanted in ([0, 5, 6, 7], [1, 2, 3, 4]):
        push.sent.clear()
        assert await pushing.cloud.outbox.run_due() == 4
        told = {message["body"]["extras"]["operationId"] for _, message in push.sent}
        assert told == {made[number] for number in wanted}


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_an_outage_of_push_delays_and_loses_nothing(
    pushing: Service, push: FakePush, later: Later
) -> None:
    push.down = True
    made = await announced(pushing)
    assert await waiting(pushing) == [made["operationId"]]
    assert await pushing.cloud.outbox.run_due() == 0, "it pauses"
    later(timedelta(seconds=2))
    assert await pushing.cloud.outbox.run_due() == 1
    first = await due(pushing)
    later(timedelta(minutes=1))
    assert await pushing.cloud.outbox.run_due() == 1
    second = await due(pushing)
    assert first is not None
    assert second is not None
    push.down = False
    later(timedelta(minutes=1))
    assert await pushing.cloud.outbox.run_due() == 1
    assert len(push.sent) == 1
    assert await waiting(pushing) == []


async def test_nothing_is_sent_after_the_end_of_an_operation(
    pushing: Service, push: FakePush, later: Later
) -> None:
    push.down = True
    await announced(pushing)
    push.down = False
    later(timedelta(seconds=301))
    await pushing.cloud.outbox.run_due()
    assert push.sent == []
    assert await waiting(pushing) == []


async def test_what_was_decided_meanwhile_is_not_announced(pushing: Service, push: FakePush) -> None:
    """However little time it has waited: what is taken from its row is asked for."""
    bank = await of_app_a(pushing)
    decided, kept = [(await bank.ok("POST", PATH, LOGIN))["operationId"] for _ in range(2)]
    pushing.core.operations[decided]["status"] = "CANCELED"
    assert await pushing.cloud.outbox.run_due() == 2
    assert [message["body"]["extras"]["operationId"] for _, message in push.sent] == [kept]
    assert await waiting(pushing) == []


async def test_while_the_core_is_away_nothing_rings_that_may_be_over(
    pushing: Service, push: FakePush, later: Later
) -> None:
    await (await of_app_a(pushing)).ok("POST", PATH, LOGIN)
    pushing.core.down = True
    await pushing.cloud.outbox.run_due()
    assert push.sent == []
    pushing.core.down = False
    later(timedelta(seconds=2))
    await pushing.cloud.outbox.run_due()
    assert len(push.sent) == 1


async def test_a_repeated_sending_is_one_message(pushing: Service, push: FakePush, later: Later) -> None:
    push.application("app-b")
    caller = await pushing.user("two", ["app-a", "app-b"])
    await caller.ok("POST", PATH, LOGIN)
    sending, remove = pushing.cloud.outbox, pushing.cloud.outbox._remove

    async def killed(_ids: object) -> None:
        raise RuntimeError("killed before its row was removed")

    sending._remove = killed  # type: ignore[method-assign, assignment]
    await sending.run_due()
    sending._remove = remove  # type: ignore[method-assign]
    later(timedelta(minutes=1))
    assert await sending.run_due() == 1
    assert [app_id for app_id, _ in push.sent] == ["app-a", "app-b"]
    assert push.paths().count("/push/message/send") == 4


async def test_what_push_refuses_is_not_tried_again(pushing: Service, push: FakePush) -> None:
    caller = await of_app_a(pushing)
    await caller.ok("POST", PATH, LOGIN)
    push.applications.clear()
    counted = {"application": "app-a"}
    before = metrics.REGISTRY.get_sample_value("push_outbox_refused_total", counted) or 0
    await pushing.cloud.outbox.run_due()
    assert await waiting(pushing) == []
    assert metrics.REGISTRY.get_sample_value("push_outbox_refused_total", counted) == before + 1


async def test_what_push_does_not_get_done_holds_up_no_other(
    start: Start, push: FakePush, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "POLL_SECONDS", NEVER)
    service = await start(**with_push())
    caller = await of_app_a(service)
    push.troubles["user-2"] = 500
    await caller.ok("POST", PATH, LOGIN | {"userId": "user-2"})
    await until(lambda: failed(service))
    await caller.ok("POST", PATH, LOGIN)
    await until(lambda: sent_by(push, 1))


async def test_a_slow_core_is_no_outage_of_push(
    start: Start, push: FakePush, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "POLL_SECONDS", NEVER)
    monkeypatch.setattr(outbox, "SEND_SECONDS", 0.05)
    monkeypatch.setattr(activations, "of_user", lambda *_, **__: asyncio.sleep(NEVER))
    service = await start(**with_push())
    caller = await of_app_a(service)
    await caller.ok("POST", PATH, LOGIN | {"flag": "F"})
    await until(lambda: failed(service))
    monkeypatch.setattr(outbox, "SEND_SECONDS", PATIENCE_SECONDS)
    await caller.ok("POST", PATH, LOGIN)
    await until(lambda: sent_by(push, 1))


async def test_a_row_that_cannot_be_read_holds_up_no_other(pushing: Service, push: FakePush) -> None:
    caller = await of_app_a(pushing)
    broken = await caller.ok("POST", PATH, LOGIN)
    await caller.ok("POST", PATH, LOGIN)
    async with pushing.cloud.database.transaction() as session:
        row = await session.get(PushOutbox, broken["operationId"])
        assert row is not None
        row.content = '{"applications": []}'
    await pushing.cloud.outbox.run_due()
    assert len(push.sent) == 1
    assert await waiting(pushing) == []


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"{}"), (400, b"<html>"), (401, b"{}"), (200, b"{}"), (413, b"")]
)
async def test_whoever_answers_for_push_ends_no_announcement_unless_it_is_too_large(
    pushing: Service, push: FakePush, status: int, body: bytes
) -> None:
    await (await of_app_a(pushing)).ok("POST", PATH, LOGIN)
    push.raw = (status, body)
    await pushing.cloud.outbox.run_due()
    assert len(await waiting(pushing)) == (0 if status in (200, 413) else 1)


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
async def test_operations_that_are_made_together_share_an_insert(
    pushing: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, inserts, add = await of_app_a(pushing), [], statements.add

    async def counted(database: Database, batch: Sequence[Any]) -> None:
        inserts.append(len(batch))
        await add(database, batch)

    monkeypatch.setattr(statements, "add", counted)
    made = await asyncio.gather(*[caller.ok("POST", PATH, LOGIN) for _ in range(20)])
    assert len(await waiting(pushing)) == len(made) == sum(inserts)
    assert len(inserts) < len(made) / 2


async def test_while_push_says_nothing_creations_go_on(pushing: Service, push: FakePush) -> None:
    """Of an application that push may know a message waits."""
    push.down = True
    caller = await of_app_a(pushing)
    for _ in range(2):
        assert (await caller.ok("POST", PATH, LOGIN))["pushSent"] is True


async def test_what_goes_wrong_with_an_announcement_fails_no_creation(
    pushing: Service, push: FakePush, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = await of_app_a(pushing)
    push.refusals["/admin/app/list"] = PushRefusal("ERROR_GENERIC")
    assert (await bank.ok("POST", PATH, LOGIN))["pushSent"] is True, "push may know it"
    monkeypatch.setattr(rules, "message_to", None)
    push.refusals.clear()
    pushing.cloud.push_applications.forget()
    assert (await bank.ok("POST", PATH, LOGIN))["pushSent"] is False
    message = {"userId": "user-1", "subject": "New terms", "summary": "Please read", "body": "Nothing new"}
    await bank.ok("POST", "/v2/inbox/messages", message)


async def test_a_running_service_sends_at_once(start: Start, push: FakePush) -> None:
    service = await start(**with_push())
    caller = await of_app_a(service)
    await caller.ok("POST", PATH, LOGIN)
    await caller.ok("POST", "/operations", {"userId": "user-1", "template": "login"})
    await until(lambda: is_empty(service))
    assert len(push.sent) == 2
    assert "operation/detail" not in service.core.paths(), "what has not waited is not asked for"


async def test_a_running_service_catches_up_after_an_outage(start: Start, push: FakePush) -> None:
    service = await start(**with_push())
    caller = await of_app_a(service)
    push.down = True
    made = {(await caller.ok("POST", PATH, LOGIN))["operationId"] for _ in range(5)}
    push.down = False
    await until(lambda: is_empty(service))
    assert {message["body"]["extras"]["operationId"] for _, message in push.sent} == made
    assert len(push.sent) == 5


async def test_what_has_ended_holds_up_nothing_new_after_an_outage(start: Start, push: FakePush) -> None:
    """Nor does what nobody can read: neither asks push anything, so neither tells that it is back."""
    service = await start(**with_push())
    caller = await of_app_a(service)
    push.down = True
    first = await caller.ok("POST", PATH, LOGIN)
    await until(lambda: failed(service))
    await add_ended(service, 200)
    async with service.cloud.database.transaction() as session:
        session.add_all(unreadable(f"broken-{number}") for number in range(20))
    push.down = False
    second = await caller.ok("POST", PATH, LOGIN)
    await until(lambda: is_empty(service))
    told = {message["body"]["extras"].get("operationId") for _, message in push.sent}
    assert told == {first["operationId"], second["operationId"]}


async def test_what_ends_in_an_outage_is_forgotten_in_it(start: Start, push: FakePush) -> None:
    service = await start(**with_push())
    await add_ended(service, 2_500)
    push.down = True
    await (await of_app_a(service)).ok("POST", PATH, LOGIN)
    await until(lambda: failed(service))

    async def only_one_waits() -> bool:
        return len(await waiting(service)) == 1

    await until(only_one_waits)


def test_an_announcement_that_waits_stays_part_of_its_trace_and_one_of_an_older_release_of_none() -> None:
    now, trace = clock.now(), "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    made = rules.of_inbox_message("id", "user", ["app"], "subject", "summary", now)
    text = rules.content_text(replace(made, traceparent=trace))
    older = text.replace(f',"traceparent":"{trace}"', "")
    assert older != text
    kept = [rules.read("id", each, now, made.expires, 0).traceparent for each in (text, older)]
    assert kept == [trace, None]
