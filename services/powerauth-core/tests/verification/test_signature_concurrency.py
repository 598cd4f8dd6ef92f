"""What must hold when requests run into each other (D9; design §5, §8).

"Two replicas" are two cores with their own connections on one database.
"""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from core_test_api import StartCore
from core_test_phones import Audited, Change, MakePhone, Stored
from core_test_stores import job_of
from sqlalchemy import func, select, text

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.activations.models import Activation, ActivationHistory
from powerauth_core.container import Core
from powerauth_core.verification.jobs import VerificationJob, Verified
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.v3.signature import SignatureType
from powerauth_sdk.phone import Phone
from servicekit import clock
from servicekit.testing import PATIENCE_SECONDS

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

BODY = b"{}"


def wrong(phone: Phone) -> VerificationJob:
    return job_of(phone.sign(BODY), signed_data=("POST&&&",))


async def count_history(core: Core, activation_id: str, reason: str) -> int:
    rows = select(func.count()).where(
        ActivationHistory.activation_id == activation_id, ActivationHistory.event_reason == reason
    )
    async with core.database.read() as session:
        return int((await session.execute(rows)).scalar_one())


async def test_one_signature_is_accepted_at_most_once_of_fifty(
    core: Core, phone: Phone, stored: Stored, audited: Audited
) -> None:
    signed = phone.sign(BODY, kind=SignatureType.POSSESSION)
    answers = await asyncio.gather(*[core.verifier.run(job_of(signed)) for _ in range(50)])
    assert sum(answer.valid for answer in answers) == 1
    assert (await stored(phone)).counter == 1
    rows = await audited(phone)
    assert [row.valid for row in rows].count(True) == 1
    assert len(rows) == 50


async def test_one_signature_is_accepted_at_most_once_by_two_replicas(
    core: Core, start_core: StartCore, phone: Phone, stored: Stored, audited: Audited
) -> None:
    other = await start_core()
    signed = phone.sign(BODY, kind=SignatureType.POSSESSION)
    answers = await asyncio.gather(
        *[replica.verifier.run(job_of(signed)) for _ in range(25) for replica in (core, other)]
    )
    assert sum(answer.valid for answer in answers) == 1
    assert (await stored(phone)).counter == 1
    assert len(await audited(phone)) == 50


async def test_distinct_signatures_of_one_phone_are_all_accepted_in_any_order_of_arrival(
    core: Core, phone: Phone, stored: Stored
) -> None:
    requests = [job_of(phone.sign(BODY)) for _ in range(20)]
    answers = await asyncio.gather(*[core.verifier.run(request) for request in requests])
    assert all(answer.valid for answer in answers)
    row = await stored(phone)
    assert (row.counter, b64decode(row.ctr_data or "")) == (20, phone.ctr_data)


async def test_failures_count_exactly_and_block_once_at_the_maximum(
    core: Core, start_core: StartCore, phone: Phone, stored: Stored, audited: Audited
) -> None:
    other = await start_core()
    requests = [wrong(phone) for _ in range(40)]
    answers = await asyncio.gather(
        *[(core, other)[number % 2].verifier.run(each) for number, each in enumerate(requests)]
    )
    row = await stored(phone)
    assert (row.failed_attempts, row.activation_status) == (5, ActivationStatus.BLOCKED)
    decisions = [answer.decision for answer in answers]
    assert sorted(d.remaining_attempts for d in decisions if d and d.full_answer) == [0, 1, 2, 3, 4]
    assert await count_history(core, phone.activation_id, "MAX_FAILED_ATTEMPTS") == 1
    notes = [entry.note for entry in await audited(phone)]
    assert notes.count("signature_does_not_match") == 5
    # What counts nothing shares a row, in each replica for itself (D15).
    for replica in (core, other):
        await replica.verifier.repeated.write(clock.now() + timedelta(minutes=1))
    shared = [entry for entry in await audited(phone) if entry.note == "activation_invalid_state"]
    infos = [json.loads(entry.additional_info or "") for entry in shared]
    assert sum(int(info[0]["value"]) if info else 1 for info in infos) == 35


async def test_a_right_signature_among_wrong_ones_never_unblocks(
    core: Core, phone: Phone, stored: Stored
) -> None:
    right = job_of(phone.sign(BODY))
    answers = await asyncio.gather(
        *[core.verifier.run(wrong(phone)) for _ in range(5)],
        core.verifier.run(right),
        *[core.verifier.run(wrong(phone)) for _ in range(5)],
    )
    row = await stored(phone)
    if answers[5].valid:
        assert row.failed_attempts == 5
    assert row.activation_status is ActivationStatus.BLOCKED


async def test_a_request_that_cannot_be_checked_does_not_fail_its_neighbours(
    core: Core, make_phone: MakePhone, change: Change, stored: Stored
) -> None:
    phones = [await make_phone(f"user-{number}") for number in range(4)]
    await change(phones[1], server_private_key_base64="broken")
    await change(phones[2], ctr_data="not Base64")
    requests = [job_of(phone.sign(BODY)) for phone in phones]
    outcomes = await asyncio.gather(
        *[core.verifier.run(request) for request in requests], return_exceptions=True
    )
    sound, refused, failed, other = outcomes
    assert isinstance(sound, Verified)
    assert isinstance(other, Verified)
    assert sound.valid
    assert other.valid
    assert isinstance(refused, Verified)
    assert refused.refusal is not None
    assert refused.refusal.code == "ERR0010"
    assert isinstance(failed, Exception)
    assert [(await stored(phone)).counter for phone in phones] == [1, 0, 0, 1]


@pytest.mark.dialects("postgresql")
async def test_a_row_held_by_somebody_else_does_not_hold_up_the_others(
    core: Core, make_phone: MakePhone
) -> None:
    held, free = await make_phone("held"), await make_phone("free")
    async with core.database.transaction() as session:
        await session.get(Activation, held.activation_id, with_for_update=True)
        waiting = asyncio.create_task(core.verifier.run(job_of(held.sign(BODY))))
        others = [job_of(free.sign(BODY)) for _ in range(3)]
        async with asyncio.timeout(PATIENCE_SECONDS):
            answers = [await core.verifier.run(request) for request in others]
        assert all(answer.valid for answer in answers)
        assert not waiting.done()
    assert (await waiting).valid


async def test_work_goes_on_when_the_caller_goes_away(core: Core, phone: Phone, stored: Stored) -> None:
    call = asyncio.create_task(core.verifier.run(job_of(phone.sign(BODY))))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await core.verifier.close()
    assert (await stored(phone)).counter == 1


async def test_close_waits_for_accepted_requests(core: Core, make_phone: MakePhone) -> None:
    phones = [await make_phone(f"user-{number}") for number in range(5)]
    calls = [asyncio.create_task(core.verifier.run(job_of(p.sign(BODY)))) for p in phones]
    await asyncio.sleep(0)
    await core.verifier.close()
    await asyncio.sleep(0)
    assert [call.done() and call.result().valid for call in calls] == [True] * 5


@pytest.mark.dialects("postgresql")
async def test_an_answer_about_an_unknown_activation_waits_for_a_commit_too(core: Core, phone: Phone) -> None:
    async def last_writer() -> int:
        async with core.database.read() as session:
            return int(await session.scalar(text("SELECT max(xmin::text::bigint) FROM audit_chain")))

    assert (await core.verifier.run(job_of(phone.sign(BODY)))).valid
    before = await last_writer()
    unknown = job_of(phone.sign(BODY), activation_id="7e0ba60f-bf22-4ff5-b999-2733784e5eaa")
    assert not (await core.verifier.run(unknown)).valid
    assert await last_writer() > before
