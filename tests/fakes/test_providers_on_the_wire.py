"""Clients against providers as strict as the real ones, and at fault (spec/push-api.md §10 to §12)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from datetime import timedelta
from itertools import product
from uuid import uuid4

import pytest
import pytest_asyncio
from fake_senders import MESSAGE, PATIENT, TOKEN, Bank, bank_of, clients_of, send

from powerauth_cli.fakes.http1 import Http1Server
from powerauth_cli.fakes.http2 import Http2Server
from powerauth_cli.fakes.proxy import ConnectProxy
from powerauth_cli.fakes.stack import (
    BUNDLE,
    HMS_CLIENT,
    HMS_PROJECT,
    KEY,
    PROJECT,
    TEAM,
    FakeProviders,
)
from powerauth_cli.fakes.wire import Fault, Received, Reply
from powerauth_push.providers.credentials import ApnsCredentials, apns_key, fcm_account, hms_client
from powerauth_push.providers.delivery import Courier
from powerauth_push.providers.gate import Gate, GatePolicy
from powerauth_push.providers.messages import Content, Device, Environment, Message, Priority
from powerauth_push.providers.network import ClientCertificate, Proxy
from powerauth_push.providers.outcomes import SENT, Outcome, Verdict
from powerauth_push.providers.payloads.fcm import question
from powerauth_push.providers.rules import RetryPolicy
from servicekit import clock

NAMES = ("apns", "fcm", "hms")
MINUTE_NS = 60 * 10**9
BROKEN: dict[str, Callable[[FakeProviders], Http2Server | Http1Server]] = {
    "apns": lambda fakes: fakes.production,
    "fcm": lambda fakes: fakes.fcm,
    "hms": lambda fakes: fakes.hms,
}


async def verdict(bank: Bank, name: str, token: str = TOKEN, message: Message = MESSAGE) -> Verdict:
    """What becomes of one message."""
    device = Device(token, Environment.PRODUCTION, clock.now() - timedelta(days=1))
    return (await send(getattr(bank, name), message, device)).verdict


@pytest.mark.parametrize("name", NAMES)
async def test_what_a_phone_shows(bank: Bank, fakes: FakeProviders, name: str) -> None:
    assert await send(getattr(bank, name)) == SENT
    (shown,) = fakes.phones.inbox
    assert (shown.title, shown.body, shown.badge) == ("Payment", "Approve 100 EUR", 1)
    assert shown.extras == MESSAGE.content.extras
    assert not shown.silent
    assert TOKEN not in shown.text()


@pytest.mark.parametrize("name", NAMES)
async def test_every_kind_of_message_is_taken(bank: Bank, fakes: FakeProviders, name: str) -> None:
    now = clock.now()
    localised = replace(
        MESSAGE.content,
        title=None,
        body=None,
        title_loc_key="T",
        title_loc_args=("1",),
        body_loc_key="B",
        body_loc_args=("2",),
        valid_until=now + timedelta(days=2),
    )
    kinds = [
        replace(MESSAGE, silent=True),
        replace(MESSAGE, priority=Priority.NORMAL),
        Message(localised),
        Message(replace(MESSAGE.content, collapse_key="k" * 100, icon="/raw/x", badge=None)),
        Message(replace(MESSAGE.content, extras={"x": None, "l": [1, 2.5, "ž"], "aps": 1})),
    ]
    for kind in kinds:
        assert await verdict(bank, name, message=kind) is Verdict.SENT, kind
    assert [shown.silent for shown in fakes.phones.inbox] == [True, False, False, False, False]


async def test_a_question_about_a_token_rings_nobody(bank: Bank, fakes: FakeProviders) -> None:
    assert await verdict(bank, "fcm") is Verdict.SENT
    (access,) = fakes.google.issued
    headers = [
        (":method", "POST"),
        (":path", f"/v1/projects/{PROJECT}/messages:send"),
        ("authorization", f"Bearer {access}"),
    ]
    assert fakes.google.send(Received(headers, question(TOKEN))).status == 200
    assert len(fakes.phones.inbox) == 1


@pytest.mark.parametrize(
    ("name", "gone", "foreign", "unknown"),
    [
        ("apns", Verdict.UNREGISTERED, Verdict.WRONG_TOKEN, Verdict.WRONG_TOKEN),
        ("fcm", Verdict.UNREGISTERED, Verdict.FAILED, Verdict.WRONG_TOKEN),
        ("hms", Verdict.WRONG_TOKEN, Verdict.WRONG_TOKEN, Verdict.WRONG_TOKEN),
    ],
)
async def test_tokens_that_are_no_more(
    bank: Bank, fakes: FakeProviders, name: str, gone: Verdict, foreign: Verdict, unknown: Verdict
) -> None:
    assert await verdict(bank, name) is Verdict.SENT
    fakes.phones.remove_app("cd" * 32)
    fakes.phones.foreign.add("ef" * 32)
    fakes.phones.unknown.add("01" * 32)
    assert await verdict(bank, name, "cd" * 32) is gone
    assert await verdict(bank, name, "ef" * 32) is foreign
    assert await verdict(bank, name, "01" * 32) is unknown


async def test_apns_tokens_are_sent_to_the_service_that_knows_them(bank: Bank, fakes: FakeProviders) -> None:
    for environment, server in (
        (Environment.DEVELOPMENT, fakes.development),
        (Environment.PRODUCTION, fakes.production),
        (None, fakes.development),
    ):
        before = server.seen.requests
        assert await send(bank.apns, device=Device(TOKEN, environment)) == SENT
        assert server.seen.requests == before + 1


async def test_what_is_no_business_of_a_provider_is_not_sent(bank: Bank, fakes: FakeProviders) -> None:
    large = replace(MESSAGE, content=replace(MESSAGE.content, body="x" * 4096))
    assert (await send(bank.apns, large)).reason == "PayloadTooLarge"
    assert (await send(bank.apns, device=Device("no token"))).verdict is Verdict.WRONG_TOKEN
    nothing = replace(MESSAGE, silent=True, content=replace(MESSAGE.content, extras={}))
    assert (await send(bank.hms, nothing)).verdict is Verdict.FAILED
    assert fakes.production.seen.requests == 0
    assert not fakes.phones.inbox


@pytest.mark.parametrize("name", ["fcm", "hms"])
async def test_too_large_for_the_others_too(bank: Bank, name: str) -> None:
    large = replace(MESSAGE, content=replace(MESSAGE.content, extras={"x": "y" * 4096}))
    assert await verdict(bank, name, message=large) is Verdict.FAILED


NASTY = (" a", "a ", "a\r\nb: c", "\x00", "\t", "\x7f", "é", "\u2028", "😀" * 20, "")


@pytest.mark.parametrize("name", NAMES)
async def test_no_text_costs_more_than_its_message(bank: Bank, fakes: FakeProviders, name: str) -> None:
    for text in NASTY:
        content = Content(
            *(text, text, (text,), text, text, (text,), text, 1, text, text, text), extras={text: text}
        )
        for message in (Message(content), Message(content, silent=True)):
            device = Device(f"{TOKEN}{text}" if name == "apns" else TOKEN, Environment.PRODUCTION)
            outcome = await send(getattr(bank, name), message, device)
            assert outcome.verdict in (Verdict.SENT, Verdict.FAILED), (text, outcome)
    assert fakes.production.seen.broken == fakes.fcm.seen.broken == []
    assert fakes.production.seen.connections + fakes.fcm.seen.connections <= 1


async def test_one_provider_token_for_all_connections_and_applications(
    bank: Bank, fakes: FakeProviders
) -> None:
    other = bank.clients.apns(apns_key(BUNDLE, TEAM, KEY, fakes.apns_key))
    fakes.production.manners.most_requests = 10
    outcomes = await asyncio.gather(*[send(client) for client in (bank.apns, other) for _ in range(50)])
    assert set(outcomes) == {SENT}
    assert fakes.apple.tokens == 1
    assert fakes.production.seen.connections >= 10
    await other.close()


async def test_a_provider_token_is_never_too_old_nor_renewed_too_soon(
    bank: Bank, fakes: FakeProviders, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = now = time.time_ns()
    monkeypatch.setattr(clock, "now_ms", lambda: now // 1_000_000)
    fakes.apple.clock = lambda: now
    while now < start + 180 * MINUTE_NS:
        assert await send(bank.apns) == SENT
        now += 7 * MINUTE_NS
    assert not fakes.apple.refused
    assert fakes.apple.tokens == 4
    # Apple's clock is ahead of ours: one more token, and no more.
    fakes.apple.clock = lambda: now + 40 * MINUTE_NS
    now += 30 * MINUTE_NS
    outcomes = await asyncio.gather(*[send(bank.apns) for _ in range(20)])
    assert {outcome.verdict for outcome in outcomes} <= {Verdict.SENT, Verdict.LATER}
    assert fakes.apple.tokens <= 6


async def test_by_certificate(bank: Bank, fakes: FakeProviders) -> None:
    for topic, expected in ((BUNDLE, SENT.verdict), ("com.example.other", Verdict.BAD_CREDENTIALS)):
        key, certificate = fakes.authority.client(topic)
        client = bank.clients.apns(ApnsCredentials(BUNDLE, ClientCertificate(key, (certificate,))))
        assert (await send(client)).verdict is expected
        await client.close()
    assert fakes.apple.tokens == 0


Breakage = Callable[[FakeProviders], object]


@pytest.mark.parametrize(
    ("name", "breakage", "reason"),
    [
        ("apns", lambda fakes: fakes.apple.keys.clear(), "InvalidProviderToken"),
        ("apns", lambda fakes: fakes.apple.topics.clear(), "TopicDisallowed"),
        ("fcm", lambda fakes: fakes.google.accounts.clear(), "token endpoint: invalid_grant"),
        ("fcm", lambda fakes: fakes.google.projects.clear(), "status 403"),
        ("hms", lambda fakes: fakes.huawei.clients.clear(), "token endpoint: invalid_client"),
        ("hms", lambda fakes: fakes.huawei.projects.clear(), "80300002"),
    ],
)
async def test_credentials_that_are_refused(
    bank: Bank, fakes: FakeProviders, name: str, breakage: Breakage, reason: str
) -> None:
    breakage(fakes)
    outcome = await send(getattr(bank, name))
    assert (outcome.verdict, outcome.reason) == (Verdict.BAD_CREDENTIALS, reason)
    assert not outcome.ends_registration


@pytest.mark.parametrize("name", ["fcm", "hms"])
async def test_one_access_token_for_all_and_a_new_one_when_it_is_refused(
    bank: Bank, fakes: FakeProviders, name: str
) -> None:
    endpoint = fakes.google if name == "fcm" else fakes.huawei
    assert set(await asyncio.gather(*[send(getattr(bank, name)) for _ in range(30)])) == {SENT}
    assert endpoint.fetched == 1
    endpoint.issued.clear()
    assert set(await asyncio.gather(*[send(getattr(bank, name)) for _ in range(30)])) == {SENT}
    assert endpoint.fetched == 2


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.DROP, Fault.DROP_DONE])
@pytest.mark.parametrize("name", ["fcm", "hms"])
async def test_a_token_endpoint_that_is_down(fakes: FakeProviders, name: str, fault: Fault) -> None:
    bank = bank_of(fakes, replace(PATIENT, send_seconds=0.5))
    server = fakes.token if name == "fcm" else fakes.hms
    server.faults.plan(fault)
    outcomes = await asyncio.gather(*[send(getattr(bank, name)) for _ in range(10)])
    assert {(outcome.verdict, outcome.uncertain) for outcome in outcomes} == {(Verdict.LATER, False)}
    assert not fakes.phones.inbox
    await bank.close()


LOSSES = (Fault.DROP, Fault.DROP_DONE, Fault.HANG)
RESETS = (Fault.RESET, Fault.RESET_DONE)
ODDITIES = (Fault.OTHER_ID, Fault.NO_ID, Fault.SLOW)


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        *product(("apns", "fcm"), (*LOSSES, *RESETS, *ODDITIES)),
        *product(("hms",), (*LOSSES, Fault.SLOW)),
    ],
)
async def test_each_send_ends_in_time_and_says_what_it_knows(
    fakes: FakeProviders, name: str, fault: Fault
) -> None:
    uncertain = fault not in ODDITIES
    bank = bank_of(fakes, replace(PATIENT, send_seconds=2.0 if fault is Fault.HANG else 60.0))
    server = BROKEN[name](fakes)
    server.faults.slow_seconds = 0.05
    while await send(getattr(bank, name)) != SENT:  # however long connecting takes
        pass
    server.faults.plan(fault)
    outcome = await send(getattr(bank, name))
    assert outcome.uncertain is uncertain
    assert (outcome.verdict is Verdict.LATER) is uncertain
    await bank.close()


@pytest.mark.parametrize("name", NAMES)
async def test_a_pause_that_is_asked_for_is_kept(bank: Bank, fakes: FakeProviders, name: str) -> None:
    assert await send(getattr(bank, name)) == SENT
    server = BROKEN[name](fakes)
    server.faults.replies.append(Reply(503, {"retry-after": "120"}))
    courier = Courier(getattr(bank, name), "bank", RetryPolicy(), Gate())
    for _ in range(10):
        outcome = await courier.deliver(MESSAGE, Device(TOKEN, Environment.PRODUCTION), uuid4())
        assert outcome.verdict is Verdict.LATER
        assert outcome.retry_after is not None
        assert 60 < outcome.retry_after <= 132
    assert len(fakes.phones.inbox) == 1


@pytest_asyncio.fixture
async def proxy() -> AsyncGenerator[ConnectProxy]:
    async with ConnectProxy("user", "pa ss:wörd") as running:
        yield running


@pytest.mark.parametrize("name", NAMES)
async def test_messages_and_tokens_go_through_the_proxy(
    fakes: FakeProviders, proxy: ConnectProxy, name: str
) -> None:
    through = Proxy("127.0.0.1", proxy.port, "user", "pa ss:wörd")
    bank = bank_of(fakes, replace(PATIENT, proxy=through))
    assert await send(getattr(bank, name)) == SENT
    wanted = {
        "apns": [fakes.production.port],
        "fcm": [fakes.token.port, fakes.fcm.port],
        "hms": [fakes.hms.port],
    }
    assert set(proxy.connected) == {f"127.0.0.1:{port}" for port in wanted[name]}
    await bank.close()


@pytest.mark.faults
async def test_nothing_is_lost_and_duplicates_are_counted_when_everything_goes_wrong(
    fakes: FakeProviders,
) -> None:
    """Each message at least once; twice at most those that somebody called uncertain."""
    bank = bank_of(fakes, replace(PATIENT, send_seconds=5.0))
    faults = fakes.production.faults
    faults.slow_seconds = 0.01
    faults.shares = dict.fromkeys(
        (Fault.REFUSE, Fault.RESET, Fault.RESET_DONE, Fault.GOAWAY, Fault.GOAWAY_DONE, Fault.SLOW), 0.02
    )
    faults.shares |= {Fault.DROP: 0.003, Fault.DROP_DONE: 0.003, Fault.EMPTY_DATA: 0.05, Fault.OTHER_ID: 0.05}
    policy = RetryPolicy(attempts=100, first_seconds=0.02, longest_seconds=1.0, patience_seconds=60)
    courier = Courier(bank.apns, "bank", policy, Gate(GatePolicy(pause_seconds=0.1)))
    device = Device(TOKEN, Environment.PRODUCTION)
    names = [uuid4() for _ in range(400)]
    outcomes = await asyncio.gather(*[courier.deliver(MESSAGE, device, name) for name in names])
    assert {outcome.verdict for outcome in outcomes} == {Verdict.SENT}
    shown = Counter(fakes.phones.deliveries())
    assert set(shown) == {str(name) for name in names}
    twice = {name for name, count in shown.items() if count > 1}
    uncertain = {str(name) for name, outcome in zip(names, outcomes, strict=True) if outcome.uncertain}
    assert twice <= uncertain
    assert fakes.production.seen.broken == []
    await bank.close()


async def test_nothing_secret_is_told(
    fakes: FakeProviders, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    bank = bank_of(fakes)
    told: list[Outcome] = []
    for name in NAMES:
        courier = Courier(getattr(bank, name), "bank", RetryPolicy(attempts=1), Gate())
        for fault in (None, Fault.DROP):
            BROKEN[name](fakes).faults.plan(fault)
            told.append(await courier.deliver(MESSAGE, Device(TOKEN, Environment.PRODUCTION), uuid4()))
    wrong = hms_client(HMS_PROJECT, HMS_CLIENT, "not-the-secret")
    told.append(await send(bank.clients.hms(wrong)))
    told.append(await send(bank.clients.fcm(fcm_account(PROJECT, fakes.fcm_file, any_token_url=True))))
    output = capsys.readouterr()
    everything = "\n".join((output.out, output.err, caplog.text, repr(told), repr(bank)))
    for secret in (TOKEN, "Payment", "Approve", "not-the-secret", "an-example-secret", *fakes.google.issued):
        assert secret not in everything
    await bank.close()


async def test_clients_close_what_is_theirs(fakes: FakeProviders) -> None:
    clients = clients_of(fakes, PATIENT)
    fcm = clients.fcm(fcm_account(PROJECT, fakes.fcm_file, any_token_url=True))
    assert await send(fcm) == SENT
    await fcm.close()
    assert await send(clients.fcm(fcm_account(PROJECT, fakes.fcm_file, any_token_url=True))) == SENT
    assert fakes.fcm.seen.connections == 1, "applications share the connections to Google"
    await clients.close()
