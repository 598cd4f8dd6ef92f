"""A stranger who knows an activation's id and the public application key blocks nobody, fills no limit that
refuses the owner, and leaves few rows (D14, D15).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from core_test_api import Api, MakeSettings
from core_test_parts import chain_keys_of
from core_test_phones import Audited, Stored
from sqlalchemy import func, select, text

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.audit.models import AuditLog
from powerauth_core.container import Core
from powerauth_core.runtime import running_core
from powerauth_core.tamper_check.service import Verification
from powerauth_core.verification import limits, samples
from powerauth_core.verification.limits import AttemptLimit
from powerauth_core.verification.samples import OTHER_ADDRESSES
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3.keys import KnowledgeKey
from powerauth_sdk.phone import Phone
from servicekit import clock
from servicekit.workers import Overloaded

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

MINUTE = timedelta(minutes=1)
HOME, ELSEWHERE = "192.0.2.1", "2001:db8::/56"
UNKNOWN_KEY = {"pa_application_key": b64encode(bytes(16))}


@pytest_asyncio.fixture
async def core(make_settings: MakeSettings) -> AsyncIterator[Core]:
    """A core in which failures of the own device count, as in production."""
    async with running_core(make_settings(count_only_own_device=True)) as running:
        yield running


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock stands: everything happens in one minute."""
    moment = clock.now().replace(second=1)
    monkeypatch.setattr(clock, "now", lambda: moment)


def login(phone: Phone, address: str = HOME, **changes: str) -> dict[str, Any]:
    header = phone.sign(b"body", uri_id="/login").header
    return {
        "header": header | {"client_network": address} | changes,
        "method": "POST",
        "uriId": "/login",
        "allowedSignatureTypes": ["possession_knowledge"],
        "body": b64encode(b"body"),
    }


class Stranger:
    """Sends codes that he made up, and notices whether one is accepted."""

    def __init__(self, dmz: Api, victim: Phone) -> None:
        self._dmz = dmz
        self._victim = replace(victim)  # its counter moves for nobody

    async def tries(self, times: int, address: str = ELSEWHERE, **changes: str) -> None:
        for _ in range(times):
            made_up = {"pa_signature": b64encode(bytes(32))} | changes
            answer = await self._dmz.ok("signed/verify", **login(self._victim, address, **made_up))
            assert not answer["authenticated"]


@pytest.fixture
def stranger(dmz: Api, phone: Phone) -> Stranger:
    return Stranger(dmz, phone)


def attempts(rows: list[Any]) -> list[int]:
    """How many attempts each row stands for."""
    infos = [json.loads(row.additional_info) for row in rows]
    return [int(next((each["value"] for each in info if each["key"] == "ATTEMPTS"), 1)) for info in infos]


@pytest.mark.usefixtures("noon")
async def test_a_stranger_at_any_number_of_addresses_blocks_nobody(
    dmz: Api, phone: Phone, stranger: Stranger, stored: Stored
) -> None:
    for number in range(20):
        await stranger.tries(4, f"198.51.100.{number}")
    await stranger.tries(100, HOME)
    row = await stored(phone)
    assert (row.activation_status, row.failed_attempts) == (ActivationStatus.ACTIVE, 0)
    assert (await dmz.ok("signed/verify", **login(phone)))["authenticated"]


async def test_the_own_phone_with_a_wrong_pin_counts_and_blocks(
    dmz: Api, phone: Phone, stored: Stored, audited: Audited
) -> None:
    phone.keys = replace(phone.open_keys, knowledge=KnowledgeKey(bytes(16)))
    for _ in range(5):
        assert not (await dmz.ok("signed/verify", **login(phone)))["authenticated"]
    row = await stored(phone)
    assert (row.activation_status, row.failed_attempts) == (ActivationStatus.BLOCKED, 5)
    assert attempts(await audited(phone)) == [1] * 5


@pytest.mark.usefixtures("noon")
@pytest.mark.parametrize("blocked", [True, False])
async def test_attempts_that_count_nothing_share_a_row_of_the_chain(
    blocked: bool, core: Core, api: Api, phone: Phone, stranger: Stranger, audited: Audited
) -> None:
    if blocked:
        await api.ok("activation/block", activationId=phone.activation_id)
    changes = {} if blocked else UNKNOWN_KEY
    await stranger.tries(30, ELSEWHERE, **changes)
    await stranger.tries(2, HOME, **changes)
    assert attempts(await audited(phone)) == [1, 1]
    await core.verifier.repeated.write(clock.now() + MINUTE)
    rows = await audited(phone)
    assert sorted(attempts(rows)) == [1, 1, 1, 29]
    assert {row.note for row in rows} == {
        "activation_invalid_state" if blocked else "activation_invalid_application"
    }
    shared = next(row for row in rows if "29" in str(row.additional_info))
    assert ELSEWHERE in str(shared.additional_info)
    assert (shared.valid, shared.data_base64, shared.signature) == (False, None, "")
    findings = [each async for each in Verification(core.database, chain_keys_of(core)).findings()]
    assert findings == []
    async with core.database.read() as session:
        logged = select(func.count()).where(AuditLog.message == "Signature validation failed")
        assert await session.scalar(logged) == len(rows)
    listed = await api.ok(
        "signature/list", userId="alice", timestampFrom=0, timestampTo=clock.now_ms() + 60_000
    )
    assert len(listed["items"]) == len(rows)


@pytest.mark.parametrize("network", ["x" * 65, "a b", '"', "1.1.1.1\n"])
async def test_only_a_network_can_be_told_as_one(network: str, dmz: Api, phone: Phone) -> None:
    assert await dmz.error("signed/verify", **login(phone, network)) == "ERR0024"
    assert await dmz.error("signed/verify", **login(phone, network + "\x00")) == "ERROR_HTTP_REQUEST"


async def test_over_the_limit_attempts_take_turns_and_nobody_elsewhere_waits() -> None:
    limit, go = AttemptLimit(1), asyncio.Event()
    inside: list[str] = []

    async def attempt(address: str) -> None:
        async with limit.turn("activation", address):
            inside.append(address)
            await go.wait()

    tasks = [asyncio.create_task(attempt(ELSEWHERE)) for _ in range(9)]
    tasks.append(asyncio.create_task(attempt(HOME)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert sorted(inside) == sorted([ELSEWHERE, ELSEWHERE, HOME])
    go.set()
    await asyncio.gather(*tasks)
    assert (len(inside), limit._lanes) == (10, {})


async def test_attempts_over_the_limit_wait_in_a_bounded_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "OVER_LIMIT_WAITING", 3)
    limit, go = AttemptLimit(1), asyncio.Event()

    async def attempt(address: str) -> None:
        async with limit.turn("activation", address):
            await go.wait()

    tasks = [asyncio.create_task(attempt("flood")) for _ in range(limits.OVER_LIMIT_AT_ONCE + 3)]
    tasks.append(asyncio.create_task(attempt("elsewhere")))
    await asyncio.sleep(0)
    with pytest.raises(Overloaded):
        await attempt("flood")
    go.set()
    await asyncio.gather(*tasks)
    await attempt("flood")
    assert limit._lanes == {}


@pytest.mark.usefixtures("noon")
async def test_over_the_limit_an_attempt_is_checked_and_shares_a_row_if_it_counts_nothing(
    core: Core, dmz: Api, phone: Phone, stranger: Stranger, audited: Audited
) -> None:
    core.verifier.attempt_limit = AttemptLimit(2)
    await stranger.tries(2)  # under the limit: a row each
    await stranger.tries(20)  # over it: the first, and nineteen that repeat it
    assert attempts(await audited(phone)) == [1] * 3
    assert (await dmz.ok("signed/verify", **login(phone, ELSEWHERE)))["authenticated"]
    phone.keys = replace(phone.open_keys, knowledge=KnowledgeKey(bytes(16)))
    assert not (await dmz.ok("signed/verify", **login(phone, ELSEWHERE)))["authenticated"]
    assert attempts(await audited(phone)) == [1] * 5  # what counts has its own row, over any limit
    await core.verifier.repeated.write(clock.now() + MINUTE)
    assert sorted(attempts(await audited(phone))) == [1] * 5 + [19]


async def test_a_row_of_the_next_minute_is_written_apart(
    core: Core, phone: Phone, stranger: Stranger, audited: Audited, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = clock.now().replace(second=1)
    for later in range(2):
        monkeypatch.setattr(clock, "now", lambda later=later: start + later * MINUTE)
        await stranger.tries(3, **UNKNOWN_KEY)
    await core.verifier.repeated.write(clock.now())
    assert sorted(attempts(await audited(phone))) == [1, 1, 2]


@pytest.mark.usefixtures("noon")
async def test_counts_are_written_when_the_core_stops(
    core: Core, phone: Phone, stranger: Stranger, audited: Audited
) -> None:
    await stranger.tries(7, **UNKNOWN_KEY)
    await core.verifier.close()
    assert sorted(attempts(await audited(phone))) == [1, 6]


@pytest.mark.usefixtures("noon")
async def test_many_addresses_share_a_row_and_memory_is_bounded(
    core: Core, phone: Phone, stranger: Stranger, audited: Audited
) -> None:
    for number in range(samples.ADDRESSES + 10):
        await stranger.tries(1, f"198.51.100.{number}", **UNKNOWN_KEY)
    assert len(await audited(phone)) == samples.ADDRESSES + 1
    await core.verifier.repeated.write(clock.now() + MINUTE)
    shared = [row for row in await audited(phone) if "ATTEMPTS" in str(row.additional_info)]
    assert attempts(shared) == [9]
    assert OTHER_ADDRESSES in str(shared[0].additional_info)
    assert not core.verifier.repeated.samples


@pytest.mark.dialects("postgresql")
@pytest.mark.usefixtures("noon")
async def test_an_attempt_that_leaves_no_row_waits_for_a_commit_too(
    core: Core, phone: Phone, stranger: Stranger, stored: Stored
) -> None:
    async def last_writer() -> int:
        async with core.database.read() as session:
            return int(await session.scalar(text("SELECT max(xmin::text::bigint) FROM audit_chain")))

    await stranger.tries(1, **UNKNOWN_KEY)
    before, row = await last_writer(), await stored(phone)
    await stranger.tries(1, **UNKNOWN_KEY)
    assert await last_writer() > before
    assert (await stored(phone)).timestamp_last_used == row.timestamp_last_used
