"""Gates, pauses and deliveries: no storm, no end without an outcome, nothing after its end."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from uuid import UUID, uuid4

import pytest

from powerauth_push.providers import delivery
from powerauth_push.providers.delivery import Courier
from powerauth_push.providers.gate import Gate, GatePolicy
from powerauth_push.providers.messages import Content, Device, Message
from powerauth_push.providers.outcomes import SENT, Outcome, Verdict, bad_credentials, failed
from powerauth_push.providers.rules import RetryPolicy
from servicekit import clock, metrics

DOWN = Outcome(Verdict.LATER, "down", provider_wide=True)
BUSY = Outcome(Verdict.LATER, "busy", 7.0, provider_wide=True)
ONE_DEVICE = Outcome(Verdict.LATER, "TooManyRequests", 60.0)
LOST = replace(DOWN, reason="lost", uncertain=True)
DEVICE = Device("T")
MESSAGE = Message(Content())
AT_ONCE = RetryPolicy(attempts=4, first_seconds=0.0)


def gate(*outcomes: Outcome, at: float = 100.0) -> Gate:
    """A gate that has heard of outcomes."""
    made = Gate(GatePolicy(failures=3, pause_seconds=10, credentials_seconds=100), jitter=lambda: 0.5)
    for outcome in outcomes:
        assert made.refusal(at) is None
        made.settle(outcome, at, at)
    return made


def test_gate_closes_after_failures_in_a_row_and_lets_one_through_when_its_time_is_over() -> None:
    assert gate(DOWN, DOWN, SENT, DOWN, DOWN).refusal(100) is None
    closed = gate(DOWN, DOWN, DOWN)
    assert closed.refusal(105) == replace(DOWN, retry_after=5.0, held=True)
    assert closed.refusal(110) is None
    assert closed.refusal(110) == replace(DOWN, retry_after=10.0, held=True), "only one"
    closed.settle(SENT, 110, 111)
    assert closed.why is None
    assert closed.refusal(111) is None


def test_gate_closes_again_by_a_single_failure() -> None:
    closed = gate(DOWN, DOWN, DOWN)
    assert closed.refusal(110) is None
    assert not closed.settle(DOWN, 110, 112), "no new alarm"
    assert closed.refusal(121) == replace(DOWN, retry_after=1.0, held=True)


@pytest.mark.parametrize(
    ("outcome", "seconds"), [(BUSY, 7.0), (bad_credentials("InvalidProviderToken"), 100.0)]
)
def test_gate_closes_at_once_for_what_concerns_all(outcome: Outcome, seconds: float) -> None:
    closed = gate()
    assert closed.settle(outcome, 100, 100)
    assert closed.refusal(101) == replace(outcome, verdict=Verdict.LATER, retry_after=seconds - 1, held=True)


def test_gate_stays_open_for_what_concerns_one_message_or_device() -> None:
    assert gate(*[ONE_DEVICE] * 9, *[failed("PayloadTooLarge")] * 9).refusal(100) is None


def test_gate_is_not_opened_by_what_was_sent_before_it_closed() -> None:
    closed = gate(bad_credentials("Forbidden"), at=100)
    closed.settle(SENT, 99, 101)
    assert closed.refusal(102) is not None


@pytest.mark.parametrize(
    ("attempt", "outcome", "shortest", "longest"),
    [
        (1, DOWN, 0.25, 0.5),
        (2, DOWN, 0.5, 1.0),
        (40, DOWN, 450.0, 900.0),
        (10**9, DOWN, 450.0, 900.0),
        (1, BUSY, 7.0, 7.7),
        (1, replace(BUSY, retry_after=0.0), 0.25, 0.275),
        (1, replace(BUSY, retry_after=3600.0), 3600.0, 3960.0),
    ],
)
def test_pauses_double_with_jitter_and_are_never_less_than_asked_for(
    attempt: int, outcome: Outcome, shortest: float, longest: float
) -> None:
    policy = RetryPolicy()
    assert policy.pause(attempt, outcome, lambda: 0.0) == pytest.approx(shortest)
    assert policy.pause(attempt, outcome, lambda: 1.0) == pytest.approx(longest)


class Scripted:
    """A provider with known outcomes."""

    name = "scripted"

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = deque(outcomes)
        self.deliveries: list[UUID] = []
        self.closed = False

    def lane(self, device: Device) -> str:
        return device.token

    async def send(self, message: Message, device: Device, delivery: UUID) -> Outcome:
        self.deliveries.append(delivery)
        return self.outcomes.popleft()

    async def close(self, grace_seconds: float = 0.0) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("outcomes", "result"),
    [
        ([SENT], SENT),
        ([DOWN, DOWN, SENT], SENT),
        ([LOST, SENT], replace(SENT, uncertain=True)),
        ([failed("BadPriority")], failed("BadPriority")),
        ([Outcome(Verdict.UNREGISTERED, "Unregistered")], Outcome(Verdict.UNREGISTERED, "Unregistered")),
    ],
)
async def test_a_delivery_tries_again_under_the_same_name(outcomes: list[Outcome], result: Outcome) -> None:
    provider, name = Scripted(*outcomes), uuid4()
    courier = Courier(provider, "bank", AT_ONCE, Gate())
    assert await courier.deliver(MESSAGE, DEVICE, name) == result
    assert provider.deliveries == [name] * len(outcomes)
    await courier.close()
    assert provider.closed


async def test_what_may_have_arrived_is_not_sent_again_where_once_is_the_most() -> None:
    courier = Courier(Scripted(DOWN, LOST), "bank", AT_ONCE, Gate())
    assert await courier.deliver(MESSAGE, DEVICE, uuid4(), at_most_once=True) == LOST


@pytest.mark.parametrize("outcomes", [[DOWN] * 4, [BUSY]])
async def test_a_delivery_is_given_back_with_what_was_asked_for(outcomes: list[Outcome]) -> None:
    provider = Scripted(*outcomes)
    given_back = await Courier(provider, "bank", AT_ONCE, Gate()).deliver(MESSAGE, DEVICE, uuid4())
    assert given_back == outcomes[-1]
    assert not provider.outcomes


async def test_a_closed_gate_is_no_attempt_and_lengthens_no_pause() -> None:
    held = replace(DOWN, retry_after=10.0, held=True)
    assert RetryPolicy().pause(20, held, lambda: 0.0) == 10.0
    closed = gate(DOWN, DOWN, DOWN, at=monotonic())
    soon = Message(Content(valid_until=clock.now() + timedelta(seconds=5)))
    outcome = await Courier(Scripted(), "bank", AT_ONCE, closed).deliver(soon, Device(""), uuid4(), 20)
    assert outcome.held, "it is not over yet"
    assert outcome.verdict is Verdict.LATER


async def test_nothing_is_sent_after_its_end_nor_kept_for_then() -> None:
    now = clock.now()
    over = Message(Content(valid_until=now))
    ends_soon = Message(Content(valid_until=now + timedelta(seconds=5)))
    provider = Scripted(BUSY)
    courier = Courier(provider, "bank", AT_ONCE, Gate())
    assert await courier.deliver(over, DEVICE, uuid4()) == delivery.EXPIRED
    assert provider.deliveries == []
    assert await courier.deliver(ends_soon, DEVICE, uuid4()) == delivery.EXPIRED


async def test_trouble_with_one_service_of_a_provider_holds_up_no_other() -> None:
    provider = Scripted(bad_credentials("BadEnvironmentKeyIdInToken"), SENT)
    courier = Courier(provider, "bank", AT_ONCE, Gate())
    for device, verdict in (("sandbox", Verdict.BAD_CREDENTIALS), ("production", Verdict.SENT)):
        assert (await courier.deliver(MESSAGE, Device(device), uuid4())).verdict is verdict
    assert (await courier.deliver(MESSAGE, Device("sandbox"), uuid4())).verdict is Verdict.LATER
    assert not provider.outcomes


async def test_what_is_held_is_told_until_its_application_has_no_courier() -> None:
    def held() -> float | None:
        labels = {"provider": Scripted().name, "application": "removed"}
        return metrics.REGISTRY.get_sample_value("push_provider_held", labels)

    first = Courier(Scripted(bad_credentials("x")), "removed", AT_ONCE, Gate())
    await first.deliver(MESSAGE, DEVICE, uuid4())
    assert held() == 1
    second = Courier(Scripted(bad_credentials("x")), "removed", AT_ONCE, Gate())
    await first.close()
    assert held() == 0
    await second.deliver(MESSAGE, DEVICE, uuid4())
    assert held() == 1
    await second.close()
    assert held() is None


async def test_bad_credentials_are_told_once_and_cause_no_storm(capsys: pytest.CaptureFixture[str]) -> None:
    provider = Scripted(bad_credentials("InvalidProviderToken"))
    courier = Courier(provider, "bank", AT_ONCE, Gate())
    assert (await courier.deliver(MESSAGE, DEVICE, uuid4())).verdict is Verdict.BAD_CREDENTIALS
    waiting = [await courier.deliver(MESSAGE, DEVICE, uuid4()) for _ in range(50)]
    assert {(outcome.verdict, outcome.reason) for outcome in waiting} == {
        (Verdict.LATER, "InvalidProviderToken")
    }
    assert len(provider.deliveries) == 1
    assert capsys.readouterr().out.count("push credentials refused") == 1
