"""Stores new operations: on PostgreSQL those that come at the same time go together, in one statement."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from powerauth_core.kernel.errors import TokenNotGenerated, TooManyOperations
from powerauth_core.kernel.ports import WithCipher, WithDatabase, WithListeners, WithSettings
from powerauth_core.operations import limits, number_matching, repository, transitions
from powerauth_core.operations.limits import Limited
from powerauth_core.operations.statements import ADMITTED, put_new
from powerauth_core.operations.stored import StoredOperation
from powerauth_core.templates.rules import UserLimits
from servicekit import tracing
from servicekit.additions import Additions
from servicekit.batching import MicroBatcher, Settled, none_twice
from servicekit.errors import DataRefused


def new_id() -> str:
    """An id for an operation; it may be taken."""
    return str(uuid.uuid4())


# A value, never changed. Not frozen: that makes it five times as dear.
@dataclass(slots=True)
class Creation:
    """A new operation that is to be stored.

    :ivar operation: under an id that may be taken
    :ivar application_rids: row ids of its applications
    :ivar limits: how often its user may be asked
    :ivar span: what it is a part of
    """

    operation: StoredOperation
    application_rids: Sequence[int]
    limits: UserLimits | None = None
    span: tracing.Span | None = field(default_factory=tracing.current.get, repr=False)

    @property
    def key(self) -> str:
        """The id of the operation; what a limit is for waits for others of its user."""
        return self.operation.id if self.limits is None else f"user {self.operation.row.user_id}"

    @property
    def limited_user(self) -> str | None:
        """Whom a limit is for; a statement judges it by what was there before, so one of a user at a time."""
        return None if self.limits is None else self.operation.row.user_id


class Parts(WithDatabase, WithCipher, WithSettings, WithListeners, Protocol):
    """What storing operations uses of a running core."""


class OperationCreator:
    """Front of the micro-batches of one process; every new operation goes through `store`."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        self._cipher = parts.cipher
        self._listeners = parts.listeners
        settings = parts.settings
        self._iterations = settings.generate_operation_id_iterations
        self._batcher: MicroBatcher[Creation, StoredOperation] = MicroBatcher(
            self._together,
            self._one_by_one,
            max_size=settings.verification_batch_size,
            in_flight=settings.verification_batches,
            patience_seconds=settings.database_lock_timeout_seconds,
            joining=none_twice(lambda creation: creation.limited_user),
        )

    async def store(self, creation: Creation) -> StoredOperation:
        """Store a new operation, tell everybody, and return it after the commit.

        :raises TokenNotGenerated: every generated id was taken
        :raises TooManyOperations: the user is asked too often
        :raises DataRefused: a value does not fit, or an application or the activation has gone
        :raises Unavailable: the database cannot be reached, or its outcome is unknown
        """
        if self._database.dialect == "sqlite":
            return await self._store_alone(creation)
        applications, subscriptions = creation.operation.applications, self._listeners.subscriptions
        if not subscriptions.knows(applications):
            async with self._database.read() as session:
                await subscriptions.learn(session, applications)
        return await self._batcher.submit(creation)

    async def close(self) -> None:
        """Wait for the operations that were accepted."""
        await self._batcher.close()

    async def _together(self, creations: Sequence[Creation]) -> Sequence[Settled[StoredOperation]]:
        limited = [each for each in map(_limited, creations) if each is not None]
        additions = Additions(self._database, ADMITTED if limited else None)
        for creation in creations:
            additions.owner = creation.operation.id
            put_new(additions, creation.operation.row, creation.application_rids)
            with tracing.within(creation.span):
                self._listeners.keep_operation_change(
                    additions, transitions.created(creation.operation).change
                )
        try:
            async with self._database.driver() as driver:
                refused = await self._write(driver, additions, limited)
        except DataRefused:
            refused = None
        if refused is None:
            return await self._again(creations, limited)
        additions.committed(refused)
        return [_settled(creation.operation, refused) for creation in creations]

    async def _write(
        self, driver: Any, additions: Additions, limited: Sequence[Limited]
    ) -> Collection[str] | None:
        if limited:
            return await limits.write(driver, additions, limited)
        await additions.write_by(driver)
        return ()

    async def _again(
        self, creations: Sequence[Creation], limited: Sequence[Limited]
    ) -> Sequence[Settled[StoredOperation]]:
        """An id is taken, an application has gone, others ask a user: one by one it turns out whose. Nobody
        waits meanwhile for the user of somebody else.
        """
        if not limited:
            return await self._one_by_one(creations)
        if len(creations) == 1:
            return [Settled(held=True)]
        unlimited = [creation for creation in creations if creation.limits is None]
        settled = iter(await self._together(unlimited) if unlimited else ())
        return [next(settled) if each.limits is None else await self._by_itself(each) for each in creations]

    async def _by_itself(self, creation: Creation) -> Settled[StoredOperation]:
        try:
            (settled,) = await self._together([creation])
        except Exception as error:  # others of its batch are stored
            return Settled(error=error)
        return settled

    async def _one_by_one(self, creations: Sequence[Creation]) -> Sequence[Settled[StoredOperation]]:
        settled = []
        for creation in creations:
            with tracing.within(creation.span):
                settled.append(await self._settle(creation))
        return settled

    async def _settle(self, creation: Creation) -> Settled[StoredOperation]:
        try:
            return Settled(await self._store_alone(creation))
        except Exception as error:
            return Settled(error=error)

    async def _store_alone(self, creation: Creation) -> StoredOperation:
        limited = _limited(creation)
        async with self._database.transaction() as session:
            if limited is not None and not await limits.admits(session, self._database.dialect, limited):
                raise TooManyOperations()
            for _ in range(self._iterations):
                if await repository.add(session, creation.operation.row, creation.application_rids):
                    break
                creation = self._under_another_id(creation)
            else:
                raise TokenNotGenerated()
            created = transitions.created(creation.operation)
            await self._listeners.operation_changed(session, created.change)
        return creation.operation

    def _under_another_id(self, creation: Creation) -> Creation:
        row = number_matching.under(self._cipher, creation.operation.row, new_id())
        return replace(creation, operation=replace(creation.operation, row=row))


def _limited(creation: Creation) -> Limited | None:
    if creation.limits is None:
        return None
    return Limited(creation.operation.row, creation.application_rids, creation.limits)


def _settled(operation: StoredOperation, refused: Collection[str]) -> Settled[StoredOperation]:
    return Settled(error=TooManyOperations()) if operation.id in refused else Settled(operation)
