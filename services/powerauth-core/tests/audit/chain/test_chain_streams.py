"""Chains are written by several processes and batches at once; what goes wrong does not break them."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from core_test_api import StartCore
from core_test_audit import Audit
from core_test_parts import chain_keys_of
from core_test_phones import MakePhone
from core_test_stores import Ways, job_of
from pydantic_core import to_json

from powerauth_core.audit.chain import reading, repository, streams
from powerauth_core.audit.chain.keys import ChainKey
from powerauth_core.audit.signatures import AUDIT_COLUMNS
from powerauth_core.container import Core
from powerauth_core.tamper_check.service import _Chain, accept_unchained, rebuild_registry
from powerauth_sdk.phone import Phone
from servicekit import clock
from servicekit.testing import PATIENCE_SECONDS

if TYPE_CHECKING:
    from audit.chain.conftest import Chained


pytestmark = pytest.mark.dialects("sqlite", "postgresql")

BODY = b"{}"


def check(core: Core, phone: Any, **changes: Any) -> Any:
    return core.verifier.run(job_of(phone.sign(BODY), **changes))


def test_the_mac_of_a_row_never_changes() -> None:
    """Rows that are stored must stay verifiable by every later release."""
    key = ChainKey.derive(b"0123456789abcdef")
    content = ("a", 5, None, 3, '"\x1f\x7f\u2028/ž\\😀', datetime(2026, 11, 22, 3, 30, 5, 120), True, "")
    text = to_json(("chain", 7, *content)).decode()
    assert text == (
        '["chain",7,"a",5,null,3,"\\"\\u001f\x7f\u2028/ž\\\\😀","2026-11-22T03:30:05.000120",true,""]'
    )
    assert key.key_id == "c236635193a51630"
    assert (
        key.row_mac(bytes(32), "chain", 7, content).hex()
        == "46f4751df52151152004e4af46ed33f792e00398058085a6545a15f034955729"
    )


def test_content_is_told_apart_column_by_column() -> None:
    key = ChainKey.derive(b"0123456789abcdef")
    variants: list[tuple[Any, ...]] = [
        (None, "x"),
        ("", "x"),
        ("x", None),
        ("null", "x"),
        (0, "x"),
        (False, "x"),
        ("0", "x"),
    ]
    assert len({key.row_mac(bytes(32), "c", 1, variant) for variant in variants}) == len(variants)
    assert key.row_mac(bytes(32), "c", 11, ()) != key.row_mac(bytes(32), "c1", 1, ())


async def test_two_processes_and_concurrent_batches_verify(
    core: Core, start_core: StartCore, make_phone: MakePhone, audit: Audit
) -> None:
    other = await start_core()
    phones = [await make_phone(f"user-{number}") for number in range(6)]
    calls = [
        check(replica, phone, **changes)
        for _ in range(4)
        for phone in phones
        for replica, changes in ((core, {}), (other, {"signed_data": ("POST&&&",)}))
    ]
    answers = await asyncio.gather(*calls)
    assert any(answer.valid for answer in answers)
    found = await audit.verify()
    assert (found.findings, found.summary.rows) == ([], 48)
    assert found.summary.chains >= 2


async def test_a_verification_beside_running_cores_finds_nothing(
    chained: Chained,
    start_core: StartCore,
    make_phone: MakePhone,
    audit: Audit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Chains grow while they are read, also after the reading has gone on to the next one."""
    monkeypatch.setattr(reading, "CHUNK", 3)
    other = await start_core()
    phones = [await make_phone(f"user-{number}") for number in range(4)]
    await chained(4)

    async def write(phone: Phone) -> None:
        for _ in range(8):
            await check(other, phone)

    calls = [asyncio.create_task(write(phone)) for phone in phones]
    runs = 0
    while not all(call.done() for call in calls):
        assert (await audit.verify()).findings == []
        runs += 1
    await asyncio.gather(*calls)
    assert runs
    assert (await audit.verify()).summary.rows == 36


async def test_what_came_after_a_chain_was_read_is_read_too(
    core: Core, chained: Chained, audit: Audit
) -> None:
    ids = await chained(3)
    [[chain_id]] = await audit.rows("SELECT chain_id FROM audit_chain")
    async with core.database.read() as session:
        head = await repository.head(session, chain_id)
    groups = [group async for group in reading.chained(core.database)]
    check = _Chain(core.database, chain_keys_of(core), chain_id, head)
    assert [finding async for finding in check.take(groups[0])] == []
    assert [finding async for finding in check.finish()] == []
    assert check.rows == len(ids)


@pytest.mark.dialects("postgresql")
async def test_two_batches_in_flight_use_two_chains(
    start_core: StartCore, make_phone: MakePhone, audit: Audit
) -> None:
    core = await start_core(verification_batches=2)
    phones = [await make_phone(f"user-{number}") for number in range(2)]
    first, both, chains = asyncio.Event(), asyncio.Barrier(2), set()

    async def meet(turn: streams.Turn) -> None:
        chains.add(turn.chain_id)
        first.set()
        await both.wait()

    Ways(core).at("opening", meet, times=2)
    async with asyncio.timeout(PATIENCE_SECONDS):  # if they took turns, they would wait for ever
        call = asyncio.create_task(check(core, phones[0]))
        await first.wait()
        answers = await asyncio.gather(call, check(core, phones[1]))
    assert all(answer.valid for answer in answers)
    found = await audit.verify()
    assert (found.findings, found.summary.chains, found.summary.rows) == ([], 2, 2)
    assert len(chains) == 2


async def test_a_chain_ends_with_its_month_and_when_it_is_full(
    core: Core, chained: Chained, audit: Audit, monkeypatch: pytest.MonkeyPatch
) -> None:
    await chained(1)
    monkeypatch.setattr(streams, "UPDATES_PER_CHAIN", 2)
    await chained(3)
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(days=32))
    await core.verifier.close()
    assert await audit.rows("SELECT position FROM audit_chain WHERE timestamp_closed IS NULL") == []
    found = await audit.verify()
    assert (found.findings, found.summary.chains, found.summary.rows) == ([], 2, 4)


def test_a_stream_does_not_cross_a_month() -> None:
    opened = datetime(2026, 1, 31, 23, 59)
    stream = streams.Stream(ChainKey.derive(bytes(16)), "chain", 1, opened, opened)
    assert stream.fits(datetime(2026, 1, 31, 23, 59, 59))
    assert not stream.fits(datetime(2026, 2, 1))
    assert not stream.fits(datetime(2027, 1, 31))
    stream.position = streams.ROWS_PER_CHAIN
    assert not stream.fits(datetime(2026, 1, 31, 23, 59, 59))


async def test_without_a_key_rows_are_stored_without_a_chain(
    core: Core, chained: Chained, audit: Audit
) -> None:
    core.verifier._streams = streams.Streams(core.database, None)
    assert await chained(2) == []
    found = await audit.verify()
    assert (found.kinds, found.summary.unchained) == (["chain removed"], 2)


async def test_a_damaged_registry_stops_no_check_but_is_found(
    audit: Audit, chained: Chained, start_core: StartCore
) -> None:
    await chained(1)
    for damage in ("UPDATE audit_chain_registry SET chains = 5", "UPDATE audit_chain SET number = 2"):
        async with audit.restored():
            await audit.execute(damage)
            await chained(1, await start_core())
            found = await audit.verify()
        assert {"head changed", "not chained"} <= set(found.kinds), damage


async def test_after_the_registry_is_made_anew_rows_are_chained_again(
    audit: Audit, chained: Chained, start_core: StartCore
) -> None:
    await chained(1)
    core = audit.core
    keys = chain_keys_of(core)
    for damage in ("UPDATE audit_chain_registry SET chains = 5", "DELETE FROM audit_chain_registry"):
        await audit.execute(damage)
        await chained(1, await start_core())
        assert await rebuild_registry(core.database, keys)
        assert not await rebuild_registry(core.database, keys)
        await chained(1, await start_core())
        assert (await audit.verify()).kinds == ["not chained"]
        assert await accept_unchained(core.database, keys.current) == 1
        assert (await audit.verify()).findings == []


async def test_rows_of_an_earlier_release_are_accepted_by_an_operator_once(
    audit: Audit, chained: Chained
) -> None:
    [first] = await chained(1)
    copied = ", ".join(AUDIT_COLUMNS)

    async def written_by_an_earlier_release(row_id: int) -> None:
        await audit.execute(
            f"INSERT INTO pa_signature_audit (id, {copied}) SELECT :new, {copied} FROM pa_signature_audit"
            " WHERE id = :id",
            new=row_id,
            id=first,
        )

    keys = chain_keys_of(audit.core)
    assert await accept_unchained(audit.core.database, keys.current) == 0
    for row_id in (10_000, 10_005):
        await written_by_an_earlier_release(row_id)
    assert (await audit.verify()).kinds == ["not chained"] * 2
    assert await accept_unchained(audit.core.database, keys.current) == 2
    assert (await audit.verify()).findings == []
    await written_by_an_earlier_release(10_003)
    assert (await audit.verify()).kinds == ["not chained"]
    await audit.execute("UPDATE audit_unchained SET rows = 3")
    assert "head changed" in (await audit.verify()).kinds
