"""Where a batch of checks finds its activations, and where it leaves what came of them: the engine's only way
to the database.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from powerauth_core.audit.chain.streams import Chained, Turn
from powerauth_core.verification.audit import AuditRecord
from powerauth_core.verification.jobs import Decision, LockedActivation, PlannedAction, SignedAction
from servicekit.batching import Settled
from servicekit.tracing import Span


@dataclass(slots=True)
class Left:
    """What a batch leaves behind.

    :ivar decisions: the last one of each activation that is to be stored, in the order of their ids
    :ivar records: rows for both audits
    :ivar chained: the places of the records
    :ivar blocked: decisions that blocked an activation, which others hear of
    """

    decisions: Sequence[Decision]
    records: Sequence[AuditRecord]
    chained: Chained
    blocked: Sequence[Decision] = ()

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return bool(self.decisions or self.records)


# Not frozen, as every value that each check makes.
@dataclass(slots=True)
class Acting:
    """An action after its check."""

    action: SignedAction | PlannedAction
    activation: LockedActivation
    decision: Decision
    span: Span | None = None


class Held(Protocol):
    """The activations of one batch, from when they are read until its end."""

    @property
    def rows(self) -> Mapping[str, LockedActivation]:
        """Those that are there, by id."""
        ...

    @property
    def skipped(self) -> Collection[str]:
        """Ids of those that somebody else may hold, or that are not there, they or the records of their
        actions: only waiting for them tells.
        """
        ...

    async def prepare(self, action: SignedAction, activation: LockedActivation) -> Settled[Any]:
        """What an action finds before the check."""
        ...

    async def write(self, left: Left, acting: Sequence[Acting]) -> Sequence[Settled[Any]] | None:
        """Write what is left, and do the actions, of which each fails for itself (D9); all of it stands when
        the store is closed.

        If nothing is left, write all the same without changing anything: an answer that leaves nothing behind
        waits for a commit like the others, so that the time it takes does not tell an unknown activation.

        :return: what each action answers; None if this store cannot do it now, and nothing is written:
            another one has to
        """
        ...


Wanted = Mapping[str, str]
"""Ids of activations, each with the id of the record that an action plans to change, or `NO_LOCK`."""


class Store(Protocol):
    """A way through the database."""

    def open(self, turn: Turn, wanted: Wanted) -> AbstractAsyncContextManager[Held]:
        """Read activations and then the records of actions that plan, each in the order of their ids where
        they are locked (D9); at the end of the block all is committed, and with an error nothing.

        :param turn: is told when the commit is sent
        """
        ...
