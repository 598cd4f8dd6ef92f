"""What actions that plan need of a batch: it reads the records of all of them at once, and writes what
becomes of these together with what is left of its checks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from servicekit.additions import Additions


@dataclass(slots=True)
class Found:
    """Records as they are committed.

    :ivar records: by id
    :ivar versions: of their rows, by id
    """

    records: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)


class Records(Protocol):
    """The records that planned actions change, of one kind."""

    async def lock(self, session: AsyncSession, record_id: str) -> Any:
        """The record, locked until the end of the transaction; None if there is none."""
        ...

    async def lock_free_ones(self, session: AsyncSession, record_ids: Collection[str]) -> set[str]:
        """Lock those that nobody else holds, in the order of their ids (D9); their ids."""
        ...

    async def write(self, session: AsyncSession, change: Any) -> None:
        """Store a change of a locked record and tell everybody."""
        ...

    @property
    def columns(self) -> int:
        """How many `selected` gives."""
        ...

    def selected(self, record_id: str) -> str:
        """The statement that reads a record; its first column is NULL in no row (PostgreSQL).

        :param record_id: an expression
        """
        ...

    async def found(self, rows: Iterable[Sequence[Any]]) -> Found:
        """The records in rows of `selected`; whoever is told of changes of them is ready."""
        ...

    def after(self, change: Any) -> Any:
        """The record after a change."""
        ...

    def tell(self, additions: Additions, change: Any) -> None:
        """Add what is kept of a change."""
        ...

    def update(self, parameter: int, after: str) -> str:
        """Parts ``change`` and ``changed`` of a statement (PostgreSQL): the records that a parameter holds,
        and those of them that were as they had been read, and are updated now.

        :param after: part of the statement that must be done before
        """
        ...

    def rows(self, records: Iterable[Any], versions: Mapping[str, int]) -> Sequence[Sequence[Any]]:
        """What the parameter of `update` holds.

        :param records: as they are to be
        :param versions: of their rows as they were read, by id
        """
        ...
