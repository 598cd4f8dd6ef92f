"""What is wrong with a chain: decisions over its rows in their order (docs/audit.md)."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from powerauth_core.audit.chain.keys import MAC_BYTES, ChainKey

_CANDIDATES = 3


class FindingKind(StrEnum):
    """What happened to the audit."""

    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    NOT_CHAINED = "not chained"
    HEAD_CHANGED = "head changed"
    CHAIN_REMOVED = "chain removed"
    CHECKPOINT = "checkpoint"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where.

    :ivar position: first position in the chain that it concerns, ``until`` the last one
    :ivar row_id: id of the row in the database; of missing rows that of the one that follows
    """

    kind: FindingKind
    text: str
    chain_id: str | None = None
    position: int | None = None
    until: int | None = None
    row_id: int | None = None
    activation_id: str | None = None

    def __str__(self) -> str:
        """One line."""
        where = []
        if self.row_id is not None:
            where.append(f"row {self.row_id}")
        if self.activation_id is not None:
            where.append(f"activation {self.activation_id}")
        if self.chain_id is not None:
            where.append(f"chain {self.chain_id}")
        if self.position is not None and self.until not in (None, self.position):
            where.append(f"positions {self.position} to {self.until}")
        elif self.position is not None:
            where.append(f"position {self.position}")
        return f"{self.kind.value}: {', '.join([*where, self.text])}"


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row of the signature audit as the database holds it; ``content`` are its audited columns."""

    id: int
    chain_id: str
    position: int
    mac: bytes
    content: Sequence[Any]

    @property
    def activation_id(self) -> str:
        """The first of the audited columns."""
        return str(self.content[0])


class ChainCheck:
    """Follows one chain from its start, position by position.

    :ivar position: the last position that was looked at
    :ivar rows: how many rows stand where they were written, unchanged
    """

    def __init__(self, key: ChainKey, chain_id: str, start: tuple[int, bytes]) -> None:
        """
        :param start: position and MAC before the first row
        """
        self._key = key
        self._chain_id = chain_id
        self.position, mac = start
        # What the next row may be bound to; after a changed row its MAC as stored and as it should have been.
        self._links: tuple[bytes, ...] = (mac,)
        self._changed = False
        self._last: StoredRow | None = None
        self.rows = 0

    def take(self, group: Sequence[StoredRow], head_position: int | None) -> Iterator[Finding]:
        """The rows of the next position: one, unless somebody inserted.

        :param head_position: where the chain ends by its head; None if the head cannot be believed
        """
        position = group[0].position
        if position <= self.position:
            for row in group:
                yield self._at(FindingKind.INSERTED, row, "the position was dropped or is taken")
            return
        missing = position > self.position + 1
        genuine = None if missing else next((row for row in group if self._fits(row)), None)
        if head_position is not None and position > head_position:
            yield from self._beyond(group, genuine, head_position)
            return
        if missing:
            yield self._gap(group[0])
            self._links, self._changed = (), True
        stays = genuine or group[0]
        if genuine is not None:
            self.rows += 1
            self._links, self._changed = (genuine.mac,), False
        elif not missing:
            why = "its MAC is not that of its content"
            if self._changed:
                why += ", or it is bound to what a changed row was"
            yield self._at(FindingKind.CHANGED, stays, why)
        if genuine is None:
            self._after_a_changed(stays, missing=missing)
        yield from [
            self._at(FindingKind.INSERTED, row, "the position is taken by another row")
            for row in group
            if row is not stays
        ]
        self.position, self._last = position, stays

    def finish(self, head_position: int, head_mac: bytes) -> Iterator[Finding]:
        """Compare with a head that can be believed, after the last row."""
        if self.position < head_position:
            yield Finding(
                FindingKind.REMOVED,
                "the end of the chain is missing",
                chain_id=self._chain_id,
                position=self.position + 1,
                until=head_position,
            )
        elif self._last is None or self.position > head_position:
            return
        elif self._changed and self._last.mac != head_mac:
            yield self._at(FindingKind.CHANGED, self._last, "its MAC is not that of the chain's head")

    def _fits(self, row: StoredRow) -> bool:
        return any(hmac.compare_digest(row.mac, mac) for mac in self._macs(row))

    def _macs(self, row: StoredRow) -> list[bytes]:
        try:
            return [self._key.row_mac(link, row.chain_id, row.position, row.content) for link in self._links]
        except ValueError:
            return []

    def _after_a_changed(self, row: StoredRow, *, missing: bool) -> None:
        links = [row.mac] if len(row.mac) == MAC_BYTES else []
        if not missing:
            links += [mac for mac in self._macs(row) if mac not in links]
        self._links, self._changed = tuple(links[:_CANDIDATES]), True

    def _beyond(
        self, group: Sequence[StoredRow], genuine: StoredRow | None, head_position: int
    ) -> Iterator[Finding]:
        for row in group:
            if row is genuine:
                self.position, self._links, self._last = row.position, (row.mac,), row
                yield self._at(
                    FindingKind.HEAD_CHANGED, row, f"genuine, but the head was set back to {head_position}"
                )
            else:
                yield self._at(FindingKind.INSERTED, row, "behind the end of the chain")

    def _gap(self, following: StoredRow) -> Finding:
        return Finding(
            FindingKind.REMOVED,
            "this row follows the gap and cannot be checked",
            chain_id=self._chain_id,
            position=self.position + 1,
            until=following.position - 1,
            row_id=following.id,
            activation_id=following.activation_id,
        )

    def _at(self, kind: FindingKind, row: StoredRow, text: str) -> Finding:
        return Finding(
            kind,
            text,
            chain_id=self._chain_id,
            position=row.position,
            row_id=row.id,
            activation_id=row.activation_id,
        )
