"""Actions that plan: done in one statement with the checks of their batch, or each under locks (D9)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from core_test_api import Api
from core_test_audit import Audit
from core_test_phones import Change, MakePhone, Stored
from core_test_rows import execute, found, statements_of_the_driver
from core_test_stores import Ways, job_of, lost
from sqlalchemy import select, update

from powerauth_contracts.enums import ActivationStatus, OperationStatus
from powerauth_core.activations.models import Activation
from powerauth_core.audit.models import AuditLog
from powerauth_core.container import Core
from powerauth_core.kernel.errors import OperationNotFound
from powerauth_core.operations import transitions
from powerauth_core.operations.models import Operation
from powerauth_core.operations.stored import StoredOperation
from powerauth_core.operations.transitions import Transition
from powerauth_core.verification.jobs import Decision, LockedActivation, Plan, PlannedAction, VerificationJob
from powerauth_sdk.phone import Phone
from servicekit import clock
from servicekit.database import DatabaseUnavailable
from servicekit.errors import DataRefused
from servicekit.testing import PATIENCE_SECONDS

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

BODY = b"{}"


class Count(PlannedAction):
    """Counts one more failure on an operation, whose number is the answer."""

    def __init__(self, operation_id: str) -> None:
        self.lock_key = operation_id

    def is_idle(self, decision: Decision) -> bool:
        return not decision.valid

    def plan(self, record: StoredOperation | None, activation: LockedActivation, decision: Decision) -> Plan:
        if record is None:
            raise OperationNotFound()
        counted = self.transition(record)
        return Plan(counted.operation.row.failure_count, counted)

    def transition(self, record: StoredOperation) -> Transition:
        return transitions.failure_counted(record, None, clock.now())


class Misfit(Count):
    """Wants to store what the table does not take."""

    def transition(self, record: StoredOperation) -> Transition:
        nothing: dict[str, Any] = {"failure_count": None}
        counted = super().transition(record)
        return replace(
            counted, operation=replace(counted.operation, row=replace(counted.operation.row, **nothing))
        )


class Broken(Count):
    """Cannot plan."""

    def transition(self, record: StoredOperation) -> Transition:
        raise ZeroDivisionError


MakeOperation = Callable[[], Any]


@pytest_asyncio.fixture
async def make_operation(api: Api, phone: Phone) -> MakeOperation:
    """Make a pending operation and get its id; ``phone`` brings the application."""
    await api.ok(
        "operation/template/create",
        templateName="login",
        operationType="login",
        dataTemplate="A2",
        signatureType=["POSSESSION_KNOWLEDGE"],
        maxFailureCount=10,
        expiration=300,
    )

    async def make() -> str:
        made = await api.ok("operation/create", applications=["test-application"], templateName="login")
        return str(made["id"])

    return make


@pytest.fixture
def ways(make_operation: MakeOperation, ways: Ways) -> Ways:
    """The ways of the batches after what everything needs is made."""
    ways.taken.clear()
    return ways


@pytest.fixture
def first(dialect: str) -> str:
    """The way of most batches."""
    return "optimistic" if dialect == "postgresql" else "waiting"


async def together(core: Core, *jobs: VerificationJob) -> list[Any]:
    """Outcomes of jobs that share their first batch: answers of the actions, or errors."""
    outcomes = await asyncio.gather(*[core.verifier.run(job) for job in jobs], return_exceptions=True)
    return [each if isinstance(each, BaseException) else each.answer for each in outcomes]


async def failures(core: Core, *operation_ids: str) -> list[int]:
    rows = select(Operation).where(Operation.id.in_(operation_ids))
    by_id = {row.id: row.failure_count for row in await found(core, rows)}
    return [by_id[each] for each in operation_ids]


async def test_checks_and_actions_share_a_batch(
    core: Core,
    ways: Ways,
    make_phone: MakePhone,
    make_operation: MakeOperation,
    stored: Stored,
    audit: Audit,
    first: str,
) -> None:
    """Actions on the same operation see each other, one that is idle changes nothing."""
    phones = [await make_phone(name) for name in "abcd"]
    one, other = await make_operation(), await make_operation()
    wrong = replace(job_of(phones[2].sign(BODY), action=Count(one)), signed_data=("POST&&&",))
    jobs = [
        job_of(phones[0].sign(BODY), action=Count(one)),
        job_of(phones[1].sign(BODY), action=Count(one)),
        wrong,
        job_of(phones[3].sign(BODY), action=Count(other)),
        job_of(phones[1].sign(BODY)),
    ]
    assert await together(core, *jobs[:4]) == [1, 2, None, 1]
    assert await together(core, jobs[4]) == [None]
    assert ways.taken == [first, first]
    assert await failures(core, one, other) == [2, 1]
    assert [(await stored(phone)).counter for phone in phones] == [1, 2, 0, 1]
    told = select(AuditLog.message).where(AuditLog.audit_type == "operation")
    assert sorted(await found(core, told)) == ["Operation approval failed"] * 3 + ["Operation created"] * 2
    assert (await audit.verify()).findings == []


@pytest.mark.parametrize(
    ("action", "error"), [(Misfit, DataRefused), (Broken, ZeroDivisionError), (Count, OperationNotFound)]
)
async def test_an_action_that_fails_undoes_only_itself(
    core: Core,
    ways: Ways,
    make_phone: MakePhone,
    make_operation: MakeOperation,
    stored: Stored,
    audit: Audit,
    action: type[Count],
    error: type[Exception],
) -> None:
    phones = [await make_phone(name) for name in "abc"]
    bad, good = await make_operation(), await make_operation()
    jobs = [
        job_of(phones[0].sign(BODY), action=action("unknown" if action is Count else bad)),
        job_of(phones[1].sign(BODY), action=Count(good)),
        job_of(phones[2].sign(BODY)),
    ]
    outcomes = await together(core, *jobs)
    assert (type(outcomes[0]), outcomes[1:]) == (error, [1, None])
    assert await failures(core, bad, good) == [0, 1]
    assert [(await stored(phone)).counter for phone in phones] == [1, 1, 1]
    assert (await audit.verify()).findings == []


@pytest.mark.dialects("postgresql")
async def test_a_batch_is_two_statements(
    core: Core, ways: Ways, make_phone: MakePhone, make_operation: MakeOperation
) -> None:
    phones = [await make_phone(name) for name in "abcd"]
    operations = [await make_operation() for _ in phones]

    async def count_all() -> list[Any]:
        pairs = zip(phones, operations, strict=True)
        return await together(core, *[job_of(one.sign(BODY), action=Count(each)) for one, each in pairs])

    # The application gets known, a chain opened, and the connection learns PostgreSQL's types.
    assert await count_all() == [1] * 4
    statements = await statements_of_the_driver(core)
    assert await count_all() == [2] * 4
    assert len(statements) == 2  # activations with operations, and all that is left


@pytest.mark.dialects("postgresql")
@pytest.mark.parametrize("activation", [True, False])
async def test_what_changes_while_actions_plan_is_seen(
    core: Core,
    ways: Ways,
    phone: Phone,
    make_operation: MakeOperation,
    change: Change,
    audit: Audit,
    activation: bool,
) -> None:
    operation = await make_operation()

    async def overtaken(_: Any) -> None:
        if activation:
            await change(phone, activation_status=ActivationStatus.BLOCKED)
        else:
            await execute(core, update(Operation).values(failure_count=5))

    ways.at("read", overtaken)
    answers = await together(core, job_of(phone.sign(BODY), action=Count(operation)))
    assert ways.taken == ["optimistic", "skipping"]
    assert (answers, await failures(core, operation)) == (([None], [0]) if activation else ([6], [6]))
    assert (await audit.verify()).findings == []


@pytest.mark.dialects("postgresql")
@pytest.mark.parametrize("held", [Activation, Operation])
async def test_an_action_waits_for_rows_that_others_hold_apart_from_the_others(
    core: Core,
    ways: Ways,
    phone: Phone,
    make_phone: MakePhone,
    make_operation: MakeOperation,
    held: type[Activation] | type[Operation],
) -> None:
    operation, other, free = await make_operation(), await make_operation(), await make_phone("free")
    apart = asyncio.Event()

    async def reached(_: Any) -> None:
        if ways.taken[-1] == "waiting":
            apart.set()

    ways.at("opening", reached, times=3)
    async with core.database.transaction() as session:
        key = operation if held is Operation else phone.activation_id
        await session.get(held, key, with_for_update=True)
        call = asyncio.create_task(core.verifier.run(job_of(phone.sign(BODY), action=Count(operation))))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await apart.wait()
            assert (await core.verifier.run(job_of(free.sign(BODY), action=Count(other)))).answer == 1
        assert not call.done()
    assert (await call).answer == 1
    assert ways.taken == ["optimistic", "skipping", "waiting", "optimistic"]
    assert await failures(core, operation, other) == [1, 1]


async def test_an_action_of_a_check_that_blocks_is_done_with_it_under_locks(
    core: Core,
    ways: Ways,
    make_phone: MakePhone,
    make_operation: MakeOperation,
    change: Change,
    stored: Stored,
    first: str,
) -> None:
    blocked, neighbour = await make_phone("a"), await make_phone("b")
    await change(blocked, failed_attempts=4)
    wrong = replace(job_of(blocked.sign(BODY)), signed_data=("POST&&&",))
    operation = await make_operation()
    assert await together(core, wrong, job_of(neighbour.sign(BODY), action=Count(operation))) == [None, 1]
    assert ways.taken == list(dict.fromkeys([first, "skipping" if first == "optimistic" else first]))
    assert (await stored(blocked)).activation_status is ActivationStatus.BLOCKED
    assert await failures(core, operation) == [1]


@pytest.mark.parametrize("arrived", [True, False])
async def test_an_action_whose_commit_is_unknown_is_not_repeated(
    core: Core,
    ways: Ways,
    phone: Phone,
    make_operation: MakeOperation,
    stored: Stored,
    audit: Audit,
    arrived: bool,
) -> None:
    operation = await make_operation()
    ways.at(*(("ended", lost()) if arrived else ("writing", lost(sent=True))))
    (outcome,) = await together(core, job_of(phone.sign(BODY), action=Count(operation)))
    assert isinstance(outcome, DatabaseUnavailable)
    assert ((await stored(phone)).counter, await failures(core, operation)) == (arrived, [arrived])
    status = select(Operation.status).where(Operation.id == operation)
    assert await found(core, status) == [OperationStatus.PENDING]
