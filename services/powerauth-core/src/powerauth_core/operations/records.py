"""Operations as the batches of signature checks read and write them (`verification.planned.Records`)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.kernel.changes import Listeners
from powerauth_core.operations import reads, repository, statements
from powerauth_core.operations.stored import StoredOperation
from powerauth_core.operations.transitions import Transition
from powerauth_core.operations.writing import write
from powerauth_core.verification.planned import Found
from servicekit.additions import Additions
from servicekit.database import Database


class OperationRecords:
    """Operations that devices approve or reject."""

    def __init__(self, database: Database, listeners: Listeners) -> None:
        self._database = database
        self._listeners = listeners

    async def lock(self, session: AsyncSession, record_id: str) -> StoredOperation | None:
        """See `Records.lock`."""
        return await repository.lock(session, self._database.dialect, record_id)

    async def lock_free_ones(self, session: AsyncSession, record_ids: Collection[str]) -> set[str]:
        """See `Records.lock_free_ones`."""
        return await repository.lock_free_ones(session, self._database.dialect, record_ids)

    async def write(self, session: AsyncSession, change: Transition) -> None:
        """See `Records.write`."""
        await write(self._listeners, session, change)

    @property
    def columns(self) -> int:
        """See `Records.columns`."""
        return statements.SELECTED_COLUMNS

    def selected(self, record_id: str) -> str:
        """See `Records.selected`."""
        return statements.selected(record_id)

    async def found(self, rows: Iterable[Sequence[Any]]) -> Found:
        """See `Records.found`."""
        found = Found()
        for version, *columns in rows:
            operation = reads.stored(columns)
            found.records[operation.id], found.versions[operation.id] = operation, version
        applications = {each for operation in found.records.values() for each in operation.applications}
        if not self._listeners.subscriptions.knows(applications):
            async with self._database.read() as session:
                await self._listeners.subscriptions.learn(session, applications)
        return found

    def after(self, change: Transition) -> StoredOperation:
        """See `Records.after`."""
        return change.operation

    def tell(self, additions: Additions, change: Transition) -> None:
        """See `Records.tell`."""
        self._listeners.keep_operation_change(additions, change.change)

    def update(self, parameter: int, after: str) -> str:
        """See `Records.update`."""
        return statements.update(parameter, after)

    def rows(
        self, records: Iterable[StoredOperation], versions: Mapping[str, int]
    ) -> Sequence[Sequence[Any]]:
        """See `Records.rows`."""
        return [statements.changed_row(each.row, versions[each.id]) for each in records]
