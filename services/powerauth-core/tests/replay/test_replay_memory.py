"""Unique values: stored once, kept long enough, deleted afterwards (spec/core-api.md §15, D4, D10)."""

from __future__ import annotations

import asyncio

import pytest
from core_test_api import Api, StartCore
from core_test_phones import MakeDevice
from core_test_rows import execute, found
from sqlalchemy import func, select, update

from powerauth_contracts import moments
from powerauth_core.container import Core
from powerauth_core.kernel.enums import UniqueValueType
from powerauth_core.replay import service
from powerauth_core.replay.models import UniqueValue
from servicekit import clock

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

TOKEN_ID, NONCE = "token-1", bytes(16)


async def _remember(core: Core, nonce: bytes = NONCE, *, timestamp: int | None = None) -> bool:
    value, expires = service.token_value(core.settings, TOKEN_ID, nonce, timestamp or clock.now_ms())
    async with core.database.transaction() as session:
        return await service.remember_token(core.settings, session, value, expires)


async def _count(core: Core) -> int:
    async with core.database.read() as session:
        return int((await session.execute(select(func.count()).select_from(UniqueValue))).scalar_one())


async def test_a_value_is_accepted_once(core: Core) -> None:
    assert await _remember(core)
    assert not await _remember(core)
    assert await _remember(core, b"\x01" * 16)
    assert await _count(core) == 2


async def test_of_several_at_the_same_time_one_passes(core: Core) -> None:
    outcomes = await asyncio.gather(*[_remember(core) for _ in range(8)])
    assert sorted(outcomes) == [False] * 7 + [True]


async def test_a_rolled_back_request_may_come_again(core: Core) -> None:
    async def fail_after_remembering() -> None:
        value, expires = service.token_value(core.settings, TOKEN_ID, NONCE, clock.now_ms())
        async with core.database.transaction() as session:
            assert await service.remember_token(core.settings, session, value, expires)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail_after_remembering()
    assert await _remember(core)


@pytest.mark.parametrize("age_ms", [0, 7_100_000])
async def test_a_token_header_is_remembered_as_long_as_it_would_be_accepted(core: Core, age_ms: int) -> None:
    timestamp = clock.now_ms() - age_ms
    await _remember(core, timestamp=timestamp)
    (row,) = await found(core, select(UniqueValue))
    assert row.type is UniqueValueType.MAC_TOKEN
    assert moments.to_ms(row.timestamp_expires) >= timestamp + 7_200_000


async def test_an_envelope_is_remembered_as_long_as_it_would_be_accepted(
    core: Core, api: Api, make_device: MakeDevice
) -> None:
    device = make_device()
    await device.create(api.call, "user-1")
    (row,) = await found(core, select(UniqueValue))
    assert row.type is UniqueValueType.ENVELOPE_APPLICATION_SCOPE
    # The furthest timestamp that is accepted is 60 s ahead, and it stays acceptable for 60 s more.
    assert moments.to_ms(row.timestamp_expires) > clock.now_ms() + 60_000


async def test_the_job_deletes_what_cannot_be_replayed_any_more(core: Core) -> None:
    await _remember(core)
    await execute(core, update(UniqueValue).values(timestamp_expires=moments.from_ms(clock.now_ms() - 1)))
    await _remember(core, b"\x01" * 16)
    assert await service.delete_expired(core.database) == 1
    assert await _count(core) == 1
    assert await service.delete_expired(core.database) == 0


async def test_the_check_can_be_switched_off(start_core: StartCore) -> None:
    unprotected = await start_core(replay_verification_service="none")
    service.check_time(unprotected.settings, 0)
    for _ in range(2):
        assert await _remember(unprotected)
    assert await _count(unprotected) == 0
