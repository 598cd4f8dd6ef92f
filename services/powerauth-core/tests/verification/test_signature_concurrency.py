"""What must hold when requests run into each other (D9; design §5, §8).

"Two replicas" are two cores with their own connections on one database.
"""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import func, select, text

from powerauth_contracts.enums import ActivationStatus, SignatureType
from powerauth_contracts.rest.verification import VerifySignatureRequest
from powerauth_core.activations.models import Activation, ActivationHistory
from powerauth_core.verification import service
from powerauth_core.verification.optimistic import PostgresqlStatements
from powerauth_protocol.common.encoding import b64decode
from servicekit import clock
from servicekit.database import DatabaseUnavailable
from servicekit.errors import ServiceError
from servicekit.testing import PATIENCE_SECONDS

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

BODY = b"{}"


def request_of(signed: Any, **changes: Any) -> VerifySignatureRequest:
    return VerifySignatureRequest.model_validate(signed.request | changes)


def wrong(phone: Any) -> VerifySignatureRequest:
    return request_of(phone.sign(BODY), data="POST&&&")


async def count_history(core: Any, activation_id: str, reason: str) -> int:
    rows = select(func.count()).where(
        ActivationHistory.activation_id == activation_id, ActivationHistory.event_reason == reason
    )
    async with core.database.read() as session:
        return (await session.execute(rows)).scalar_one()


async def test_one_signature_is_accepted_at_most_once_of_fifty(core, phone, stored, audited) -> None:
    request = request_of(phone.sign(BODY, kind=phone_kind("POSSESSION")))
    answers = await asyncio.gather(*[service.verify(core, request) for _ in range(50)])
    assert sum(answer.signature_valid for answer in answers) == 1
    assert (await stored(phone)).counter == 1
    rows = await audited(phone)
    assert [row.valid for row in rows].count(True) == 1
    assert len(rows) == 50


async def test_one_signature_is_accepted_at_most_once_by_two_replicas(
    core, start_core, phone, stored, audited
) -> None:
    other = await start_core()
    request = request_of(phone.sign(BODY, kind=phone_kind("POSSESSION")))
    answers = await asyncio.gather(
        *[service.verify(replica, request) for _ in range(25) for replica in (core, other)]
    )
    assert sum(answer.signature_valid for answer in answers) == 1
    assert (await stored(phone)).counter == 1
    assert len(await audited(phone)) == 50


async def test_distinct_signatures_of_one_phone_are_all_accepted_in_any_order_of_arrival(
    core, phone, stored
) -> None:
    requests = [request_of(phone.sign(BODY)) for _ in range(20)]
    answers = await asyncio.gather(*[service.verify(core, request) for request in requests])
    assert all(answer.signature_valid for answer in answers)
    row = await stored(phone)
    assert (row.counter, b64decode(row.ctr_data)) == (20, phone.ctr_data)


async def test_failures_count_exactly_and_block_once_at_the_maximum(
    core, start_core, phone, stored, audited
) -> None:
    other = await start_core()
    requests = [wrong(phone) for _ in range(40)]
    answers = await asyncio.gather(
        *[service.verify((core, other)[number % 2], each) for number, each in enumerate(requests)]
    )
    row = await stored(phone)
    assert (row.failed_attempts, row.activation_status) == (5, ActivationStatus.BLOCKED)
    remaining = sorted(a.remaining_attempts for a in answers if a.remaining_attempts is not None)
    assert remaining == [0, 1, 2, 3, 4]
    assert await count_history(core, phone.activation_id, "MAX_FAILED_ATTEMPTS") == 1
    notes = [entry.note for entry in await audited(phone)]
    assert notes.count("signature_does_not_match") == 5
    # What counts nothing shares a row, in each replica for itself (D15).
    for replica in (core, other):
        await replica.verifier.repeated.write(clock.now() + timedelta(minutes=1))
    shared = [entry for entry in await audited(phone) if entry.note == "activation_invalid_state"]
    infos = [json.loads(entry.additional_info) for entry in shared]
    assert sum(int(info[0]["value"]) if info else 1 for info in infos) == 35


async def test_a_right_signature_among_wrong_ones_never_unblocks(core, phone, stored) -> None:
    right = request_of(phone.sign(BODY))
    answers = await asyncio.gather(
        *[service.verify(core, wrong(phone)) for _ in range(5)],
        service.verify(core, right),
        *[service.verify(core, wrong(phone)) for _ in range(5)],
    )
    row = await stored(phone)
    if answers[5].signature_valid:
        assert row.failed_attempts == 5
    assert row.activation_status is ActivationStatus.BLOCKED


async def test_a_request_that_cannot_be_checked_does_not_fail_its_neighbours(
    core, make_phone, change, stored
) -> None:
    phones = [await make_phone(f"user-{number}") for number in range(4)]
    await change(phones[1], server_private_key_base64="broken")
    await change(phones[2], ctr_data="not Base64")
    requests = [request_of(phone.sign(BODY)) for phone in phones]
    outcomes = await asyncio.gather(
        *[service.verify(core, request) for request in requests], return_exceptions=True
    )
    assert outcomes[0].signature_valid
    assert outcomes[3].signature_valid
    assert isinstance(outcomes[1], ServiceError)
    assert outcomes[1].code == "ERR0010"
    assert isinstance(outcomes[2], Exception)
    assert [(await stored(phone)).counter for phone in phones] == [1, 0, 0, 1]


async def test_nobody_hears_valid_when_the_commit_fails(core, make_phone, stored, monkeypatch) -> None:
    phones = [await make_phone(f"user-{number}") for number in range(3)]
    requests = [request_of(phone.sign(BODY)) for phone in phones]

    execute = asyncpg.Connection.execute

    async def refuse(_session: Any) -> None:
        raise ConnectionResetError

    async def refuse_commit(driver: Any, statement: str, *values: Any, **options: Any) -> Any:
        if statement == "COMMIT" or "INSERT INTO pa_signature_audit" in statement:
            raise ConnectionResetError
        return await execute(driver, statement, *values, **options)

    with monkeypatch.context() as patch:
        patch.setattr("sqlalchemy.ext.asyncio.AsyncSession.commit", refuse)
        patch.setattr("asyncpg.Connection.execute", refuse_commit)
        outcomes = await asyncio.gather(
            *[service.verify(core, request) for request in requests], return_exceptions=True
        )
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 3
    assert [(await stored(phone)).counter for phone in phones] == [0, 0, 0]
    assert (await service.verify(core, requests[0])).signature_valid


@pytest.mark.dialects("postgresql")
@pytest.mark.parametrize(
    ("changed", "valid"),
    [
        ({"activation_status": ActivationStatus.BLOCKED}, False),
        ({"failed_attempts": 2}, True),
        ({"flags": ["NEW"]}, True),
    ],
)
async def test_what_changes_while_a_check_without_locks_decides_is_seen(
    changed: dict[str, Any], valid: bool, core, make_phone, change, stored, monkeypatch
) -> None:
    phone, neighbour = await make_phone("alice"), await make_phone("bob")
    assert (await service.verify(core, request_of(phone.sign(BODY)))).signature_valid
    read, pending = PostgresqlStatements.read_plain, [changed]

    async def read_and_be_overtaken(self: Any, driver: Any, ids: Any) -> Any:
        found = await read(self, driver, ids)
        if pending:
            await change(phone, **pending.pop())
        return found

    with monkeypatch.context() as patch:
        patch.setattr(PostgresqlStatements, "read_plain", read_and_be_overtaken)
        answers = await asyncio.gather(
            *[service.verify(core, request_of(each.sign(BODY))) for each in (phone, neighbour)]
        )
    assert [answer.signature_valid for answer in answers] == [valid, True]
    if valid:
        assert answers[0].activation_flags == changed.get("flags", [])
    assert (await stored(phone)).counter == 1 + valid
    assert (await stored(phone)).failed_attempts == 0


@pytest.mark.dialects("postgresql")
async def test_a_check_alone_in_its_batch_is_decided_again_when_its_row_changed(
    core, phone, change, stored, monkeypatch
) -> None:
    assert (await service.verify(core, request_of(phone.sign(BODY)))).signature_valid
    read, overtaken = PostgresqlStatements.read_plain, 0

    async def read_and_be_overtaken(self: Any, driver: Any, ids: Any) -> Any:
        nonlocal overtaken
        overtaken += 1
        found = await read(self, driver, ids)
        await change(phone, flags=[f"F{overtaken}"])
        return found

    monkeypatch.setattr(PostgresqlStatements, "read_plain", read_and_be_overtaken)
    answer = await service.verify(core, request_of(phone.sign(BODY)))
    assert (answer.signature_valid, answer.activation_flags) == (True, ["F1"])
    assert overtaken == 1  # the second time under locks, with nobody's help
    assert (await stored(phone)).counter == 2


@pytest.mark.dialects("postgresql")
async def test_a_row_held_by_somebody_else_does_not_hold_up_the_others(core, make_phone) -> None:
    held, free = await make_phone("held"), await make_phone("free")
    async with core.database.transaction() as session:
        await session.get(Activation, held.activation_id, with_for_update=True)
        waiting = asyncio.create_task(service.verify(core, request_of(held.sign(BODY))))
        others = [request_of(free.sign(BODY)) for _ in range(3)]
        async with asyncio.timeout(PATIENCE_SECONDS):
            answers = [await service.verify(core, request) for request in others]
        assert all(answer.signature_valid for answer in answers)
        assert not waiting.done()
    assert (await waiting).signature_valid


async def test_work_goes_on_when_the_caller_goes_away(core, phone, stored) -> None:
    call = asyncio.create_task(service.verify(core, request_of(phone.sign(BODY))))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await core.verifier.close()
    assert (await stored(phone)).counter == 1


async def test_close_waits_for_accepted_requests(core, make_phone) -> None:
    phones = [await make_phone(f"user-{number}") for number in range(5)]
    calls = [asyncio.create_task(service.verify(core, request_of(p.sign(BODY)))) for p in phones]
    await asyncio.sleep(0)
    await core.verifier.close()
    await asyncio.sleep(0)
    assert [call.done() and call.result().signature_valid for call in calls] == [True] * 5


def phone_kind(name: str) -> Any:
    """The protocol's signature type of this name."""
    return SignatureType(name).kind


@pytest.mark.dialects("postgresql")
async def test_an_answer_about_an_unknown_activation_waits_for_a_commit_too(core, phone) -> None:
    async def last_writer() -> int:
        async with core.database.read() as session:
            return int(await session.scalar(text("SELECT max(xmin::text::bigint) FROM audit_chain")))

    assert (await service.verify(core, request_of(phone.sign(BODY)))).signature_valid
    before = await last_writer()
    unknown = request_of(phone.sign(BODY)).model_copy(
        update={"activation_id": "7e0ba60f-bf22-4ff5-b999-2733784e5eaa"}
    )
    assert not (await service.verify(core, unknown)).signature_valid
    assert await last_writer() > before
