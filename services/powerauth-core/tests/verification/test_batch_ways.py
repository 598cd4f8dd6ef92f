"""Every way that a batch can go through its stores, and what is left at its end (D9; design §5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from core_test_audit import Audit
from core_test_phones import Change, MakePhone, Stored
from core_test_rows import statements_of_the_driver
from core_test_stores import Ways, fails, job_of, lost
from sqlalchemy import event

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.activations.models import Activation
from powerauth_core.container import Core
from powerauth_core.verification.jobs import NO_LOCK, VerificationJob, Verified
from powerauth_sdk.phone import Phone
from servicekit.database import DatabaseUnavailable, Dialect
from servicekit.testing import PATIENCE_SECONDS

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

BODY = b"{}"


class Action:
    """An action that answers what became of the signature."""

    lock_key = NO_LOCK

    async def prepare(self, *_: Any) -> tuple[()]:
        return ()

    async def accepted(self, *_: Any) -> str:
        return "accepted"

    async def refused(self, *_: Any) -> str:
        return "refused"


def wrong(phone: Phone) -> VerificationJob:
    return job_of(phone.sign(BODY), signed_data=("POST&&&",))


@pytest.fixture
def first(dialect: str) -> str:
    """The way of checks alone."""
    return "optimistic" if dialect == "postgresql" else "waiting"


@pytest.fixture
def locked(dialect: str) -> str:
    """The way under locks."""
    return "skipping" if dialect == "postgresql" else "waiting"


Counted = Callable[[], AbstractAsyncContextManager[list[str]]]


@pytest.fixture
def counted(core: Core, dialect: str) -> Counted:
    """Statements of a block, on whichever way: ``async with counted() as statements``."""

    @asynccontextmanager
    async def count() -> AsyncGenerator[list[str]]:
        if dialect == "postgresql":
            yield await statements_of_the_driver(core)
            return
        await core.relay.stop()
        statements: list[str] = []

        def seen(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
            if not statement.startswith("BEGIN"):
                statements.append(statement)

        event.listen(core.database.engine.sync_engine, "before_cursor_execute", seen)
        yield statements
        event.remove(core.database.engine.sync_engine, "before_cursor_execute", seen)

    return count


async def together(core: Core, jobs: list[VerificationJob]) -> list[Any]:
    """Outcomes of jobs that share their first batch."""
    return await asyncio.gather(*[core.verifier.run(job) for job in jobs], return_exceptions=True)


async def test_checks_alone_go_together_without_locks(
    core: Core, ways: Ways, make_phone: MakePhone, first: str
) -> None:
    phones = [await make_phone(name) for name in "ab"]
    outcomes = await together(core, [job_of(phone.sign(BODY)) for phone in phones])
    assert [outcome.valid for outcome in outcomes] == [True, True]
    assert ways.taken == [first]


@pytest.mark.parametrize("valid", [True, False])
async def test_an_action_is_taken_under_locks(
    core: Core, ways: Ways, phone: Phone, locked: str, valid: bool
) -> None:
    job = job_of(phone.sign(BODY)) if valid else wrong(phone)
    job.action = Action()
    assert (await core.verifier.run(job)).answer == ("accepted" if valid else "refused")
    assert ways.taken == [locked]


async def test_a_check_that_others_have_to_hear_of_is_done_again_under_locks(
    core: Core,
    ways: Ways,
    make_phone: MakePhone,
    change: Change,
    stored: Stored,
    audit: Audit,
    first: str,
    locked: str,
) -> None:
    phone, neighbour = await make_phone("alice"), await make_phone("bob")
    await change(phone, failed_attempts=4)
    outcomes = await together(core, [wrong(phone), job_of(neighbour.sign(BODY))])
    assert [outcome.decision.blocked for outcome in outcomes] == [True, False]
    assert ways.taken == list(dict.fromkeys([first, locked]))
    assert (await stored(phone)).activation_status is ActivationStatus.BLOCKED
    assert (await stored(neighbour)).counter == 1
    told = "SELECT event_reason FROM pa_activation_history WHERE activation_id = :id"
    reasons = [row[0] for row in await audit.rows(told, id=phone.activation_id)]
    assert reasons.count("MAX_FAILED_ATTEMPTS") == 1
    assert (await audit.verify()).findings == []


@pytest.mark.dialects("postgresql")
@pytest.mark.parametrize(
    ("changed", "valid"),
    [
        ({"activation_status": ActivationStatus.BLOCKED}, False),
        ({"failed_attempts": 2}, True),
        ({"flags": ["NEW"]}, True),
    ],
)
@pytest.mark.parametrize("alone", [True, False])
async def test_what_changes_while_a_check_without_locks_decides_is_seen(
    core: Core,
    ways: Ways,
    make_phone: MakePhone,
    change: Change,
    stored: Stored,
    audit: Audit,
    changed: dict[str, Any],
    valid: bool,
    alone: bool,
) -> None:
    phones = [await make_phone("alice")] if alone else [await make_phone("alice"), await make_phone("bob")]

    async def overtake(_: Any) -> None:
        await change(phones[0], **changed)

    ways.at("read", overtake)
    outcomes = await together(core, [job_of(phone.sign(BODY)) for phone in phones])
    assert [outcome.valid for outcome in outcomes] == [valid, True][: len(phones)]
    # The second time under locks, with nobody's help.
    assert ways.taken == ["optimistic", "skipping"]
    row = await stored(phones[0])
    assert (row.counter, row.failed_attempts) == (int(valid), 0)
    assert list(outcomes[0].activation.flags) == changed.get("flags", [])
    assert (await audit.verify()).findings == []


@pytest.mark.dialects("postgresql")
@pytest.mark.parametrize("action", [True, False])
@pytest.mark.parametrize("blocks", [True, False])
async def test_a_check_whose_row_is_held_waits_for_it_apart_from_the_others(
    core: Core, ways: Ways, make_phone: MakePhone, change: Change, audit: Audit, action: bool, blocks: bool
) -> None:
    """It is chained, refused, found held, and chained once more behind what others stored meanwhile."""
    held, free = await make_phone("held"), await make_phone("free")
    await change(held, failed_attempts=4)
    apart = asyncio.Event()

    async def reached(_: Any) -> None:
        if ways.taken[-1] == "waiting":
            apart.set()

    ways.at("opening", reached, times=4)
    async with core.database.transaction() as session:
        await session.get(Activation, held.activation_id, with_for_update=True)
        job = wrong(held) if blocks else job_of(held.sign(BODY))
        job.action = Action() if action else None
        call = asyncio.create_task(core.verifier.run(job))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await apart.wait()
            assert (await core.verifier.run(job_of(free.sign(BODY)))).valid
        assert not call.done()
    assert (await call).valid is not blocks
    assert (await core.verifier.run(job_of(free.sign(BODY)))).valid
    way = ["skipping"] if action else ["optimistic", "skipping"]
    assert ways.taken == [*way, "waiting", "optimistic", "optimistic"]
    found = await audit.verify()
    assert (found.findings, found.summary.rows) == ([], 3)


@pytest.mark.parametrize("moment", ["opening", "read", "writing"])
async def test_a_batch_that_was_undone_is_done_once_more_as_it_is(
    core: Core, ways: Ways, make_phone: MakePhone, stored: Stored, first: str, moment: str
) -> None:
    phones = [await make_phone(name) for name in "ab"]
    ways.at(moment, lost(repeatable=True))
    outcomes = await together(core, [job_of(phone.sign(BODY)) for phone in phones])
    assert [outcome.valid for outcome in outcomes] == [True, True]
    assert ways.taken == [first, first]
    assert [(await stored(phone)).counter for phone in phones] == [1, 1]


@pytest.mark.parametrize("action", [True, False])
@pytest.mark.parametrize(
    ("moment", "fault", "times"),
    [
        ("opening", lost(), 1),
        ("read", lost(), 1),
        ("writing", lost(), 1),
        ("writing", lost(repeatable=True), 2),
        ("writing", lost(sent=True), 1),
    ],
)
async def test_nobody_hears_valid_when_the_database_is_lost(
    core: Core,
    ways: Ways,
    make_phone: MakePhone,
    stored: Stored,
    first: str,
    locked: str,
    moment: str,
    fault: Callable[..., Any],
    times: int,
    action: bool,
) -> None:
    phones = [await make_phone(f"user-{number}") for number in range(3)]
    signed = [phone.sign(BODY) for phone in phones]
    ways.at(moment, fault, times)
    jobs = [job_of(each, action=Action() if action else None) for each in signed]
    outcomes = await together(core, jobs)
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 3
    # It is not taken apart: trying one by one would not help, or would do it twice.
    assert ways.taken == [locked if action else first] * times
    assert [(await stored(phone)).counter for phone in phones] == [0, 0, 0]
    assert (await core.verifier.run(job_of(signed[0]))).valid


@pytest.mark.parametrize("moment", ["read", "writing"])
async def test_a_check_that_fails_its_batch_fails_alone_and_leaves_no_gap(
    core: Core, ways: Ways, make_phone: MakePhone, stored: Stored, audit: Audit, first: str, moment: str
) -> None:
    phones = [await make_phone(name) for name in "abc"]
    # First all of them, then one by one.
    ways.at(moment, fails(ZeroDivisionError()), times=2)
    outcomes = await together(core, [job_of(phone.sign(BODY)) for phone in phones])
    assert [type(outcome) for outcome in outcomes] == [ZeroDivisionError, Verified, Verified]
    assert ways.taken == [first] * 4
    assert [(await stored(phone)).counter for phone in phones] == [0, 1, 1]
    found = await audit.verify()
    assert (found.findings, found.summary.chains, found.summary.rows) == ([], 1, 2)


@pytest.mark.parametrize("action", [True, False])
@pytest.mark.parametrize("arrived", [True, False])
async def test_a_commit_without_an_answer_is_not_repeated_and_ends_the_chain(
    core: Core, ways: Ways, phone: Phone, stored: Stored, audit: Audit, action: bool, arrived: bool
) -> None:
    assert (await core.verifier.run(job_of(phone.sign(BODY)))).valid
    ways.at(*(("ended", lost()) if arrived else ("writing", lost(sent=True))))
    with pytest.raises(DatabaseUnavailable):
        await core.verifier.run(job_of(phone.sign(BODY), action=Action() if action else None))
    assert (await stored(phone)).counter == 1 + arrived
    assert (await core.verifier.run(job_of(phone.sign(BODY)))).valid
    found = await audit.verify()
    assert (found.findings, found.summary.chains, found.summary.rows) == ([], 2, 2 + arrived)


@pytest.mark.dialects("postgresql")
async def test_what_the_database_refuses_is_undone_and_leaves_no_gap(
    core: Core, ways: Ways, make_phone: MakePhone, audit: Audit
) -> None:
    """It says so itself: the chain goes on."""
    phones = [await make_phone(name) for name in "ab"]
    jobs = [job_of(phone.sign(BODY)) for phone in phones]
    jobs[1].audit_info = tuple([("KEY", "x" * 100)] * 3)  # longer than its column
    outcomes = await together(core, jobs)
    assert [isinstance(outcome, Verified) for outcome in outcomes] == [True, False]
    assert ways.taken == ["optimistic"] * 3
    found = await audit.verify()
    assert (found.findings, found.summary.chains, found.summary.rows) == ([], 1, 1)


@pytest.mark.parametrize("unknown", [True, False])
async def test_a_batch_takes_a_fixed_number_of_statements(
    core: Core, make_phone: MakePhone, dialect: Dialect, counted: Counted, unknown: bool
) -> None:
    phones = [await make_phone(f"user-{number}") for number in range(4)]
    await core.relay.stop()
    await core.verifier.run(job_of(phones[0].sign(BODY)))  # the application is known, a chain is open
    changes = {"activation_id": "7e0ba60f-bf22-4ff5-b999-2733784e5eaa"} if unknown else {}
    async with counted() as statements:
        outcomes = await together(core, [job_of(phone.sign(BODY), **changes) for phone in phones])
    assert [outcome.valid for outcome in outcomes] == [not unknown] * 4
    # Reading; writing: activations, signature audit, head of the chain, audit log.
    assert len(statements) == (2 if unknown or dialect == "postgresql" else 5)
