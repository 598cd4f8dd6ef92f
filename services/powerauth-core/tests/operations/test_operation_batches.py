"""New operations that come at the same time: one statement for all, and each for itself if it fails."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from core_test_rows import found, statements_of_the_driver
from sqlalchemy import select

from powerauth_contracts.enums import OperationStatus
from powerauth_core.applications.models import Application
from powerauth_core.kernel.errors import TokenNotGenerated
from powerauth_core.operations import creator
from powerauth_core.operations.creator import Creation
from powerauth_core.operations.models import Operation
from powerauth_core.operations.stored import OPERATION_COLUMNS, OperationRow, StoredOperation
from powerauth_protocol.common.json_text import Number
from servicekit import clock
from servicekit.additions import Additions
from servicekit.database import DatabaseUnavailable
from servicekit.errors import DataRefused

if TYPE_CHECKING:
    from operations.conftest import Bank, ReadCallbacks, ReadEvents

TOGETHER = 12


async def creation(bank: Bank, **columns: Any) -> Creation:
    """A new operation of the bank with every column of its own, except for ``columns``."""
    (rid,) = await found(bank.core, select(Application.id).where(Application.name == "bank"))
    now = clock.now()
    row = OperationRow(
        id=creator.new_id(),
        user_id="user",
        external_id="tx-9",
        activation_flag="FLAG",
        operation_type="type",
        template_name="name",
        data="A1*ž\\*\"'",
        parameters={"a": 'ž"\\', "b": None},
        additional_data={"n": [1, Number("1.5"), "\t", None]},
        status=OperationStatus.PENDING,
        signature_type="possession,possession_knowledge",
        failure_count=1,
        max_failure_count=2**63 - 1,
        timestamp_created=now,
        timestamp_expires=now + timedelta(days=900_000),
        timestamp_finalized=now + timedelta(microseconds=1),
        risk_flags="XF",
        totp_seed="c2VlZA==",
        activation_id=None,
        status_reason="REASON",
    )
    return Creation(StoredOperation(replace(row, **columns), ("bank",)), [rid])


async def together(bank: Bank, creations: Sequence[Creation]) -> list[Any]:
    """Outcomes of creations that share their first batch."""
    stored = [bank.core.operation_creator.store(each) for each in creations]
    return await asyncio.gather(*stored, return_exceptions=True)


async def test_operations_that_come_together_are_one_statement(
    bank: Bank, events: ReadEvents, callbacks: ReadCallbacks
) -> None:
    await bank.create()  # the callbacks are known
    statements = await statements_of_the_driver(bank.core)
    made = await together(bank, [await creation(bank) for _ in range(TOGETHER)])
    assert len(statements) == 1
    ids = {operation.id for operation in made}
    assert ids <= {data["operationId"] for _, data in await events()}
    assert ids <= {params["id"] for _, params, _ in await bank.audit()}
    assert ids <= {body["operationId"] for body in await callbacks()}


@pytest.mark.dialects("sqlite", "postgresql")
async def test_each_column_holds_its_value(bank: Bank) -> None:
    new = await creation(bank)
    operation = await bank.core.operation_creator.store(new)
    assert operation == new.operation
    row = await bank.stored({"id": operation.id})
    assert {name: getattr(row, name) for name in OPERATION_COLUMNS} == {
        name: getattr(operation.row, name) for name in OPERATION_COLUMNS
    }
    assert (await bank.detail({"id": operation.id}))["applications"] == ["bank"]


async def test_what_is_refused_is_refused_alone(bank: Bank, events: ReadEvents) -> None:
    """Nothing of it is left; who has a taken id gets another, and the neighbours are stored."""
    taken = (await bank.create())["id"]
    outcomes = await together(
        bank,
        [
            await creation(bank),
            await creation(bank, id=taken),
            replace(await creation(bank), application_rids=[-1]),
            await creation(bank, activation_id="unknown"),
            await creation(bank),
        ],
    )
    kinds = [StoredOperation, StoredOperation, DataRefused, DataRefused, StoredOperation]
    assert [type(outcome) for outcome in outcomes] == kinds
    stored = {taken, *(outcome.id for outcome in outcomes if isinstance(outcome, StoredOperation))}
    assert len(stored) == 4
    assert set(await found(bank.core, select(Operation.id))) == stored
    assert sorted(data["operationId"] for _, data in await events() if "operationId" in data) == sorted(
        stored
    )
    assert len(await bank.audit()) == 4


async def test_an_operation_that_finds_no_free_id_fails(bank: Bank, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = (await bank.create())["id"]
    monkeypatch.setattr(creator, "new_id", lambda: taken)
    refused, stored = await together(
        bank, [await creation(bank, id=taken), await creation(bank, id="another")]
    )
    assert isinstance(refused, TokenNotGenerated)
    assert stored.id == "another"


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_commit_without_an_answer_is_not_repeated(
    bank: Bank, monkeypatch: pytest.MonkeyPatch, events: ReadEvents, arrived: bool
) -> None:
    write = Additions.write_by

    async def lost(additions: Additions, driver: Any) -> None:
        if arrived:
            await write(additions, driver)
        raise DatabaseUnavailable("lost by a test")

    monkeypatch.setattr(Additions, "write_by", lost)
    outcomes = await together(bank, [await creation(bank) for _ in range(3)])
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 3
    ids = await found(bank.core, select(Operation.id))
    assert len(ids) == 3 * arrived
    assert sorted(data["operationId"] for _, data in await events()) == sorted(ids)
