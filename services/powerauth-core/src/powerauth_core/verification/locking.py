"""The way under locks, in one transaction of a session: of actions, of rows that others change, of changes
that others hear of, and of everything on SQLite.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from pydantic_core import to_json
from sqlalchemy import DateTime, Insert, Table, bindparam, column, func, insert, table, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.activations import consequences
from powerauth_core.activations.history import ActivationChanges
from powerauth_core.activations.models import Activation
from powerauth_core.audit.chain.models import AuditChain
from powerauth_core.audit.chain.streams import Turn
from powerauth_core.audit.signatures import LOG_COLUMNS, LOG_CONSTANTS
from powerauth_core.verification.jobs import (
    NO_LOCK,
    Decision,
    EarlyEnd,
    LockedActivation,
    PlannedAction,
    SignedAction,
)
from powerauth_core.verification.planned import Records
from powerauth_core.verification.statements import (
    LOCK,
    LOCK_FREE_ONES,
    PLACED_COLUMNS,
    READ_ON_SQLITE,
    TOUCH,
    activations,
    leave_behind,
    left_behind,
    renewed_mac,
)
from powerauth_core.verification.store import Acting, Left, Wanted
from powerauth_protocol.common.encoding import b64encode
from servicekit import tracing
from servicekit.batching import Settled
from servicekit.database import Database, translate_error
from servicekit.database_errors import judge
from servicekit.errors import ServiceError
from servicekit.row_macs import RowMacs

_TOUCH = text(f"{TOUCH}:chain_id")


class LockingStore:
    """`Store` of any batch."""

    def __init__(
        self,
        database: Database,
        macs: RowMacs,
        changes: ActivationChanges,
        records: Records,
        *,
        waits: bool = True,
    ) -> None:
        """
        :param changes: hear of activations that get blocked
        :param records: of planned actions
        :param waits: for rows that somebody else holds, instead of skipping them
        """
        self._database = database
        self._macs = macs
        self._changes = changes
        self._records = records
        self._waits = waits

    @asynccontextmanager
    async def open(self, turn: Turn, wanted: Wanted) -> AsyncGenerator[_Locked]:
        """See `Store.open`; who waits for records locks each when its turn comes."""
        async with self._database.transaction() as session:
            rows = await self._lock(session, wanted) if wanted else {}
            skipped = () if self._waits else await self._skipped(session, wanted, rows)
            write = _in_one_statement if self._database.dialect == "postgresql" else _row_by_row
            yield _Locked(session, turn, self._macs, self._changes, self._records, write, rows, skipped)
            turn.sending()

    async def _skipped(
        self, session: AsyncSession, wanted: Wanted, locked: Collection[str]
    ) -> Collection[str]:
        record_ids = set(wanted.values()) - {NO_LOCK}
        free = await self._records.lock_free_ones(session, record_ids) if record_ids else set()
        return {
            activation_id
            for activation_id, record_id in wanted.items()
            if activation_id not in locked or record_id not in {NO_LOCK, *free}
        }

    async def _lock(
        self, session: AsyncSession, activation_ids: Collection[str]
    ) -> dict[str, LockedActivation]:
        ids: Any = list(activation_ids)
        if self._database.dialect == "postgresql":
            statement = LOCK if self._waits else LOCK_FREE_ONES
        else:
            statement, ids = READ_ON_SQLITE, to_json(ids).decode()
        connection = await session.connection()
        rows = await connection.exec_driver_sql(statement, (ids,))
        return activations(cast("list[Mapping[str, Any]]", rows.mappings().all()), self._macs)


@dataclass(slots=True)
class _Locked:
    """`Held` by this transaction."""

    session: AsyncSession
    turn: Turn
    macs: RowMacs
    changes: ActivationChanges
    records: Records
    leave_behind: Callable[[AsyncSession, Left, Turn, RowMacs], Awaitable[None]]
    rows: dict[str, LockedActivation]
    skipped: Collection[str]

    async def prepare(self, action: SignedAction, activation: LockedActivation) -> Settled[Any]:
        """See `Held.prepare`."""
        return await self._step(lambda session: action.prepare(session, activation))

    async def write(self, left: Left, acting: Sequence[Acting]) -> Sequence[Settled[Any]]:
        """See `Held.write`."""
        if left:
            await self.leave_behind(self.session, left, self.turn, self.macs)
        elif self.turn.chain_id is not None:
            await self.session.execute(_TOUCH, {"chain_id": self.turn.chain_id})
        if left.blocked:
            await self._tell(left.blocked)
        settled = []
        for each in acting:
            with tracing.within(each.span):
                settled.append(await self._act(each))
        return settled

    async def _act(self, acting: Acting) -> Settled[Any]:
        action, activation, decision = acting.action, acting.activation, acting.decision
        if isinstance(action, PlannedAction):
            if action.is_idle(decision):
                return Settled()
            return await self._step(lambda session: self._carry_out(session, action, activation, decision))
        handler = action.accepted if decision.valid else action.refused
        return await self._step(lambda session: handler(session, activation, decision))

    async def _carry_out(
        self,
        session: AsyncSession,
        action: PlannedAction,
        activation: LockedActivation,
        decision: Decision,
    ) -> Any:
        has_record = action.lock_key != NO_LOCK
        record = await self.records.lock(session, action.lock_key) if has_record else None
        plan = action.plan(record, activation, decision)
        if plan.change is not None:
            await self.records.write(session, plan.change)
        if plan.consequence is not None:
            await consequences.apply(self.changes, session, activation.activation_id, plan.consequence)
        return plan.answer

    async def _tell(self, blocked: Sequence[Decision]) -> None:
        """History, event and callbacks of activations that got blocked (spec/core-api.md §22.5)."""
        for decision in sorted(blocked, key=lambda each: each.after.activation_id):
            activation = await self.session.get_one(
                Activation, decision.after.activation_id, populate_existing=True
            )
            await self.changes.record(
                self.session,
                activation,
                previous_status=decision.before.status,
                reason=decision.after.blocked_reason,
            )

    async def _step(self, work: Callable[[AsyncSession], Awaitable[Any]]) -> Settled[Any]:
        """Run one step of an action so that its failure undoes only itself."""
        session = self.session
        savepoint = await session.begin_nested()
        try:
            result = await work(session)
            await session.flush()
        except ServiceError as error:
            if error.keep_changes:
                await savepoint.commit()
            else:
                await savepoint.rollback()
            return Settled(error=error)
        except EarlyEnd as error:
            await savepoint.commit()
            return Settled(error=error)
        except Exception as error:
            verdict = judge(error)
            if verdict is not None and verdict.repeats and not verdict.refuses:
                # The whole batch has to find another connection, or another moment.
                raise
            # A lost connection fails again here, and with it the batch.
            await savepoint.rollback()
            return Settled(error=translate_error(error) or error)
        await savepoint.commit()
        return Settled(result)


async def _in_one_statement(session: AsyncSession, left: Left, turn: Turn, macs: RowMacs) -> None:
    import asyncpg  # noqa: PLC0415 - only where it is the driver

    connection = await session.connection()
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    try:
        # Past the dialect, in the transaction that has begun: it would look at each value once more.
        await driver.execute(leave_behind(), *left_behind(left, turn, macs, {}, None))
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        # The form in which the database layer translates errors.
        lost = driver.is_closed()
        raise DBAPIError("store a batch", None, error, True, connection_invalidated=lost) from error


_ACTIVATION = cast(Table, Activation.__table__)
_STORE = (
    update(_ACTIVATION)
    .where(_ACTIVATION.c.activation_id == bindparam("id_"))
    .values(
        activation_status=bindparam("status_"),
        blocked_reason=bindparam("reason_"),
        counter=bindparam("counter_"),
        ctr_data=bindparam("ctr_data_"),
        failed_attempts=bindparam("failed_"),
        row_mac=func.coalesce(bindparam("mac_"), _ACTIVATION.c.row_mac),
        timestamp_last_used=bindparam("used_"),
    )
)


def _insert(name: str, columns: Mapping[str, str]) -> Insert:
    """Insert of values as the database holds them, past the decoding of the entity's columns."""
    types = {"timestamp": DateTime()}
    return insert(table(name, *[column(each, types.get(kind)) for each, kind in columns.items()]))


_INSERT_AUDIT = _insert("pa_signature_audit", PLACED_COLUMNS)
_INSERT_LOG = _insert("audit_log", LOG_COLUMNS | dict.fromkeys(LOG_CONSTANTS, "varchar"))


async def _row_by_row(session: AsyncSession, left: Left, turn: Turn, macs: RowMacs) -> None:
    connection = await session.connection()
    if left.decisions:
        await connection.execute(
            _STORE,
            [
                {
                    "id_": after.activation_id,
                    "status_": after.status,
                    "reason_": after.blocked_reason,
                    "counter_": after.counter,
                    "ctr_data_": None if after.ctr_data is None else b64encode(after.ctr_data),
                    "failed_": after.failed_attempts,
                    "mac_": renewed_mac(macs, after),
                    "used_": turn.now,
                }
                for after in [decision.after for decision in left.decisions]
            ],
        )
    if not left.records:
        return
    audit = [
        dict(zip(PLACED_COLUMNS, (*record.signature, *place), strict=True))
        for record, place in zip(left.records, left.chained.places, strict=True)
    ]
    await connection.execute(_INSERT_AUDIT, audit)
    head = left.chained.head
    if head is not None:
        values = {
            "position": head.position,
            "mac": head.mac,
            "timestamp_last": head.timestamp,
            "seal": head.seal,
        }
        await connection.execute(
            update(AuditChain).where(AuditChain.chain_id == head.chain_id).values(values)
        )
    log = [LOG_CONSTANTS | dict(zip(LOG_COLUMNS, record.general, strict=True)) for record in left.records]
    await connection.execute(_INSERT_LOG, log)
