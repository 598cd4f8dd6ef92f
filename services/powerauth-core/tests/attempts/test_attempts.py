"""Who fails too often is locked out where he is, and all are when many are (spec/device-trust.md §1.4)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from powerauth_core.attempts import service
from powerauth_core.attempts.rules import Tally, Tier, Tiers, source_of
from powerauth_core.attempts.service import Tried
from powerauth_core.container import Core
from powerauth_core.kernel.passkey_errors import TooManyRequests

NOW = datetime(2026, 11, 30, 12, 0, 30)
MINUTE = timedelta(minutes=1)
TIERS = Tiers((Tier(5, 15 * MINUTE), Tier(10, 60 * MINUTE), Tier(20, 1440 * MINUTE)), 15 * MINUTE)
HERE, NEAR, ELSEWHERE = "192.0.2.7", "192.0.2.200", "198.51.100.7"


def failed(times: int, pause: timedelta = timedelta(0), factor: int = 1) -> tuple[Tally, datetime]:
    """So many failures, each as soon as it may be after the one before."""
    tally, now = Tally(0, NOW), NOW
    for _ in range(times):
        now = max(now + pause, tally.locked_until or now)
        tally = tally.failed(TIERS, now, factor)
    return tally, now


@pytest.mark.parametrize(
    ("failures", "minutes"), [(4, None), (5, 15), (6, None), (10, 60), (19, None), (20, 1440), (21, 1440)]
)
def test_each_tier_locks_when_it_is_reached_and_the_last_each_time(
    failures: int, minutes: int | None
) -> None:
    tally, now = failed(failures)
    assert tally.is_locked(now) == (minutes is not None)
    assert minutes is None or tally.locked_until == now + minutes * MINUTE


def test_failures_are_forgotten_after_a_while_and_ten_times_as_many_are_borne_from_everywhere() -> None:
    assert failed(40, pause=16 * MINUTE)[0].failures == 1
    assert failed(49, factor=10)[0].locked_until is None
    assert failed(50, factor=10)[0].locked_until is not None


@pytest.mark.parametrize(
    ("address", "source"),
    [
        (HERE, "192.0.2.0/24"),
        ("::ffff:192.0.2.9", "192.0.2.0/24"),
        ("2001:db8:1:2ff::1", "2001:db8:1:200::/56"),
        ("nonsense", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_source_is_a_network(address: str | None, source: str) -> None:
    assert source_of(address) == source


@pytest.mark.dialects("sqlite", "postgresql")
async def test_a_source_is_locked_out_and_the_owner_elsewhere_is_not(core: Core) -> None:
    here, near, owner = (Tried.of("passkey", "credential", address) for address in (HERE, NEAR, ELSEWHERE))
    for _ in range(5):
        assert await service.locked_until(core.database, here) is None
        await service.count_failure(core.database, here, TIERS)
    assert await service.locked_until(core.database, near) is not None
    assert await service.locked_until(core.database, owner) is None
    await service.succeeded(core.database, here)
    assert await service.locked_until(core.database, here) is None


@pytest.mark.dialects("sqlite", "postgresql")
async def test_a_rate_is_counted_by_network_and_minute(core: Core) -> None:
    for _ in range(3):
        await service.check_rate(core.database, "options", HERE, 3)
    with pytest.raises(TooManyRequests) as refused:
        await service.check_rate(core.database, "options", NEAR, 3)
    assert refused.value.retry_after is not None
    assert 1 <= refused.value.retry_after <= 60
    await service.check_rate(core.database, "options", ELSEWHERE, 3)
    await service.check_rate(core.database, "others", HERE, 3)
    await service.check_rate(core.database, "options", HERE, 0)
