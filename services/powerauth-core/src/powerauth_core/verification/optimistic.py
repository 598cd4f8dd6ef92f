"""The way of checks, and of actions that plan, on PostgreSQL, without locks: read, decide, and write in one
statement that does nothing unless every row is still as it was read.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from powerauth_core.audit.chain.streams import Turn
from powerauth_core.kernel.optimistic import ANOTHER_NOW, PATIENCE_MS
from powerauth_core.verification.jobs import (
    NO_LOCK,
    Decision,
    LockedActivation,
    Plan,
    PlannedAction,
    SignedAction,
)
from powerauth_core.verification.planned import Found, Records
from powerauth_core.verification.statements import (
    FIRST_FREE,
    FIRST_OF_RECORD,
    MOVED,
    READ,
    TOUCH,
    activations,
    leave_behind,
    left_behind,
    read_with,
)
from powerauth_core.verification.store import Acting, Left, Wanted
from servicekit import tracing
from servicekit.additions import Additions, json_rows
from servicekit.batching import Settled
from servicekit.database import Database
from servicekit.database_errors import judge, sqlstate_of
from servicekit.row_macs import RowMacs
from servicekit.sqlstate import OURS, Verdict

_ALL_CHANGED = "(SELECT count(*) FROM changed) = (SELECT count(*) FROM change)"


class OptimisticStore:
    """`Store` of batches that nobody else has to hear of but by what their actions plan; each statement is a
    transaction of its own.
    """

    def __init__(self, database: Database, macs: RowMacs, records: Records) -> None:
        """
        :param records: of planned actions
        """
        self._database = database
        self._macs = macs
        self._records = records
        self._read_with = read_with(records.selected("q.record_id"), records.columns)

    @asynccontextmanager
    async def open(self, turn: Turn, wanted: Wanted) -> AsyncGenerator[_Read]:
        """See `Store.open`."""
        record_ids = [record_id for record_id in wanted.values() if record_id != NO_LOCK]
        async with self._database.driver() as driver:
            if record_ids:
                rows = await driver.fetch(self._read_with, list(wanted), list(wanted.values()))
            else:
                rows = await driver.fetch(READ, list(wanted))
        # No connection is held meanwhile: whoever is to be told of changes may need one to get ready.
        found = await self._records.found(_records(rows)) if record_ids else Found()
        versions = {row["activation_id"]: row["row_version"] for row in rows}
        read = activations(rows, self._macs)
        yield _Read(self._database, turn, self._macs, versions, read, self._records, found)


def _records(rows: Iterable[Any]) -> list[Sequence[Any]]:
    """What `read_with` found beside the activations."""
    return [row[FIRST_OF_RECORD:] for row in rows if row[FIRST_OF_RECORD] is not None]


@dataclass(slots=True)
class _Planned:
    """What the actions of a batch do.

    :ivar outcomes: their answers, in their order
    :ivar changes: in the order in which they happen
    :ivar spans: what each change is a part of
    :ivar after: the changed records, by id
    :ivar needs_locks: an activation changes by more than its counter
    """

    outcomes: list[Settled[Any]] = field(default_factory=list)
    changes: list[Any] = field(default_factory=list)
    spans: list[tracing.Span | None] = field(default_factory=list)
    after: dict[str, Any] = field(default_factory=dict)
    needs_locks: bool = False


@dataclass(slots=True)
class _Read:
    """`Held` by nobody.

    :ivar versions: of the rows that were read, by id
    :ivar found: records of the actions
    """

    database: Database
    turn: Turn
    macs: RowMacs
    versions: dict[str, int]
    rows: dict[str, LockedActivation]
    records: Records
    found: Found
    skipped: Collection[str] = ()

    async def prepare(self, action: SignedAction, activation: LockedActivation) -> Settled[Any]:
        """See `Held.prepare`; without locks nothing is found, and `write` will not do such an action."""
        return Settled()

    async def write(self, left: Left, acting: Sequence[Acting]) -> Sequence[Settled[Any]] | None:
        """See `Held.write`; None if a row is not as it was read, somebody is changing it, others have to hear
        of a check, or an action or what follows from one needs locks.
        """
        checked = [
            (each.action, each.activation, each.decision, each.span)
            for each in acting
            if isinstance(each.action, PlannedAction)
        ]
        if left.blocked or len(checked) < len(acting):
            return None
        planned = _plan_all(checked, self.records, self.found)
        if planned.needs_locks:
            return None
        if left or planned.changes:
            return planned.outcomes if await self._leave(left, planned) else None
        if self.turn.chain_id is not None:
            async with self.database.driver() as driver:
                await driver.execute(f"{TOUCH}$1", self.turn.chain_id)
        return planned.outcomes

    async def _leave(self, left: Left, planned: _Planned) -> bool:
        additions = Additions(self.database)
        for change, span in zip(planned.changes, planned.spans, strict=True):
            with tracing.within(span):
                self.records.tell(additions, change)
        statement, values = self._statement(left, planned, additions)
        async with self.database.driver() as driver:
            self.turn.sending()
            try:
                _, returned = await driver.fetchrow(statement, *values)
            except Exception as error:
                if sqlstate_of(error) in ANOTHER_NOW:
                    self.turn.refused()
                    return False
                verdict = _refusal(driver, error)
                if verdict is None:
                    raise
                self.turn.refused()
                # What an action wrote does not fit: under locks that undoes nothing but the action.
                if planned.changes and verdict.refuses:
                    return False
                raise
        additions.take(returned)
        additions.committed()
        return True

    def _statement(self, left: Left, planned: _Planned, additions: Additions) -> tuple[str, tuple[Any, ...]]:
        values = left_behind(left, self.turn, self.macs, self.versions, PATIENCE_MS)
        if not planned.changes:
            return leave_behind(), values
        update = self.records.update(FIRST_FREE, MOVED)
        rows = self.records.rows(planned.after.values(), self.found.versions)
        parts, returned, added = additions.parts(FIRST_FREE + 1)
        statement = leave_behind((update, *([parts] if parts else ())), _ALL_CHANGED, returned)
        return statement, (*values, json_rows(rows), *added)


_Checked = tuple[PlannedAction, LockedActivation, Decision, tracing.Span | None]
"""An action, the outcome of its check, and what both are a part of."""


def _plan_all(checked: Iterable[_Checked], records: Records, found: Found) -> _Planned:
    """Let actions plan one after another, each on what those before it leave."""
    planned = _Planned()
    for action, activation, decision, span in checked:
        key = action.lock_key
        record = planned.after.get(key) or found.records.get(key)
        try:
            plan = Plan(None) if action.is_idle(decision) else action.plan(record, activation, decision)
        except Exception as error:
            planned.outcomes.append(Settled(error=error))
            continue
        planned.outcomes.append(Settled(plan.answer))
        planned.needs_locks |= plan.consequence is not None
        if plan.change is not None:
            planned.changes.append(plan.change)
            planned.spans.append(span)
            planned.after[key] = records.after(plan.change)
    return planned


def _refusal(driver: Any, error: Exception) -> Verdict | None:
    """Why the statement is certainly undone, if it is."""
    import asyncpg  # noqa: PLC0415 - of a statement of its own

    if isinstance(error, asyncpg.PostgresError):
        verdict = judge(error)
        return verdict if verdict is not None and verdict.certain else None
    # The driver's own complaint about a value, before anything was sent.
    own = isinstance(error, asyncpg.InterfaceError) and not driver.is_closed()
    return OURS if own else None
