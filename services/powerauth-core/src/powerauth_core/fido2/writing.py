"""Reads and writes sign-ins by the driver: those that come together go together, in one statement
(CONTRIBUTING.md, hot statements). What it does not write, because somebody was faster, a session does under
locks; on SQLite that is the only way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

from powerauth_core.fido2 import monitoring
from powerauth_core.kernel.changes import Listeners
from powerauth_core.kernel.optimistic import ANOTHER_NOW
from powerauth_core.kernel.ports import WithDatabase, WithListeners, WithRowMacs, WithSettings
from powerauth_core.operations import reads as operations
from powerauth_core.operations import statements as changed_operations
from powerauth_core.operations.stored import StoredOperation
from servicekit import tracing
from servicekit.additions import Additions
from servicekit.batching import MicroBatcher, Settled
from servicekit.database_errors import sqlstate_of

if TYPE_CHECKING:
    from powerauth_core.fido2.sign_in import Decision
    from powerauth_core.passkey_records.stored import Passkey


_MODULO: Final = 2**32


def stored_counter(counter: int) -> int:
    """An unsigned counter as the signed column of 32 bits holds it."""
    return counter - _MODULO if counter >= _MODULO // 2 else counter


def read_counter(stored: int) -> int:
    """The unsigned counter that the column holds."""
    return stored % _MODULO


class Parts(WithDatabase, WithSettings, WithRowMacs, WithListeners, Protocol):
    """What writing uses of a running core."""


@dataclass(slots=True)
class Found:
    """What a sign-in is about, as it was read, without a lock.

    :ivar row_version: of the passkey's activation; None where nothing is written without a lock
    :ivar operation_version: of the operation likewise
    """

    passkey: Passkey | None = None
    row_version: int | None = None
    operation: StoredOperation | None = None
    operation_version: int | None = None


@dataclass(slots=True)
class Write:
    """What a sign-in leaves behind, on its way.

    :ivar span: what it is a part of
    """

    found: Found
    decision: Decision
    now: datetime
    span: tracing.Span | None = field(default_factory=tracing.current.get, repr=False)

    @property
    def key(self) -> str:
        """Sign-ins with one passkey go one after another."""
        passkey = self.found.passkey
        return f"nobody {id(self)}" if passkey is None else passkey.activation_id

    @property
    def operation_id(self) -> str | None:
        """The operation that changes."""
        transition = self.decision.transition
        return None if transition is None else transition.operation.id

    def passkey_row(self) -> tuple[Any, ...] | None:
        """A row of the parameter of passkeys; None: it stays as it is."""
        passkey, decision = self.found.passkey, self.decision
        if passkey is None or not decision.changes_passkey:
            return None
        row, counter, extras = passkey.activation, decision.counter, decision.extras
        return (
            row.activation_id,
            row.counter if counter is None else stored_counter(counter),
            decision.failed_attempts,
            row.extras if extras is None else extras.encoded(),
            self.now,
            self.found.row_version,
        )

    def operation_row(self) -> Sequence[Any] | None:
        """A row of the parameter of operations; None: it stays as it is."""
        transition, version = self.decision.transition, self.found.operation_version
        if transition is None or version is None:
            return None
        return changed_operations.changed_row(transition.operation.row, version)

    def tell(self, additions: Additions, listeners: Listeners) -> None:
        """Add what is kept of it."""
        transition, passkey = self.decision.transition, self.found.passkey
        if transition is not None:
            listeners.keep_operation_change(additions, transition.change)
        for record in self.decision.records:
            user_id = None if passkey is None else passkey.user_id
            monitoring.put(additions, record.message, record.params, user_id, record.level)


class SignInWriter:
    """Front of the batches of one process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        settings = parts.settings
        self._batcher: MicroBatcher[Write, bool] = MicroBatcher(
            self._together,
            max_size=settings.verification_batch_size,
            in_flight=settings.verification_batches,
            joining=_each_row_once,
        )

    @property
    def writes(self) -> bool:
        """Whether this database is read and written by the driver."""
        return self._parts.database.dialect == "postgresql"

    async def find(self, credential_id: str, application_ids: Sequence[str], operation_id: str) -> Found:
        """A passkey and an operation as they are now; several passkeys of one id are none.

        :param credential_id: Base64
        """
        from powerauth_core.fido2 import statements  # noqa: PLC0415 - certificates: costs a start
        from powerauth_core.passkey_records import reads  # noqa: PLC0415 - as above

        rows = await self._parts.database.fetch(statements.FIND, credential_id, application_ids, operation_id)
        if len(rows) != 1:
            return Found()
        row, columns = rows[0], statements.PASSKEY_COLUMNS
        passkey = next(iter(reads.passkeys([row[:columns]], self._parts.row_macs)), None)
        operation_version, *operation = row[columns + 1 :]
        if operation_version is None:
            return Found(passkey, row[columns])
        return Found(passkey, row[columns], operations.stored(operation), operation_version)

    async def write(self, write: Write) -> bool:
        """Write what a sign-in leaves behind and return after the commit.

        :return: False if something is not as it was when it was read, and nothing is written
        :raises Unavailable: the database cannot be reached, or its outcome is unknown
        """
        transition = write.decision.transition
        if transition is not None:
            applications, subscriptions = (
                transition.operation.applications,
                self._parts.listeners.subscriptions,
            )
            if not subscriptions.knows(applications):
                async with self._parts.database.read() as session:
                    await subscriptions.learn(session, applications)
        return await self._batcher.submit(write)

    async def close(self) -> None:
        """Wait for the sign-ins that were accepted."""
        await self._batcher.close()

    async def _together(self, writes: Sequence[Write]) -> Sequence[Settled[bool]]:
        from powerauth_core.fido2 import statements  # noqa: PLC0415 - as above

        additions = Additions(self._parts.database)
        for write in writes:
            with tracing.within(write.span):
                write.tell(additions, self._parts.listeners)
        passkeys = [row for row in (write.passkey_row() for write in writes) if row is not None]
        changed = [row for row in (write.operation_row() for write in writes) if row is not None]
        statement, arguments = statements.write(passkeys, changed, additions)
        async with self._parts.database.driver() as driver:
            try:
                row = await driver.fetchrow(statement, *arguments)
            except Exception as error:
                if sqlstate_of(error) not in ANOTHER_NOW:
                    raise
                return await self._apart(writes)
        additions.take(row[1])
        additions.committed()
        return [Settled(True)] * len(writes)

    async def _apart(self, writes: Sequence[Write]) -> Sequence[Settled[bool]]:
        """One by one it turns out whose rows are others by now."""
        if len(writes) == 1:
            return [Settled(False)]
        return [settled for write in writes for settled in await self._together([write])]


def _each_row_once() -> Callable[[Write], bool]:
    """Of two that change one row the second would undo the first."""
    joined: set[str] = set()

    def may_join(write: Write) -> bool:
        rows = {write.key, *([write.operation_id] if write.operation_id else ())}
        if rows & joined:
            return False
        joined.update(rows)
        return True

    return may_join
