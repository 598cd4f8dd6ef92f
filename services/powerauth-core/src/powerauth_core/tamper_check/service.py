"""Checking the whole signature audit, and what an operator does beside it (docs/audit.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from powerauth_core.audit.chain import reading, repository
from powerauth_core.audit.chain.keys import ChainKey, ChainKeys, Sealed
from powerauth_core.audit.chain.models import AuditChain, AuditChainRegistry, AuditUnchained
from powerauth_core.audit.chain.rules import ChainCheck, Finding, FindingKind, StoredRow
from powerauth_core.tamper_check import checkpoints, witnesses
from powerauth_core.tamper_check.checkpoints import Checkpoint
from servicekit import clock
from servicekit.database import Database


@dataclass(slots=True)
class Summary:
    """What a verification went through."""

    chains: int = 0
    rows: int = 0
    unchained: int = 0
    findings: int = 0

    def __str__(self) -> str:
        """The last line of a report."""
        return (
            f"{self.rows} rows in {self.chains} chains are as they were written,"
            f" {self.unchained} rows are not chained, {self.findings} findings"
        )


@dataclass(slots=True)
class Verification:
    """One run over everything: iterate over `findings`, then read `summary`."""

    database: Database
    keys: ChainKeys
    checkpoint: Checkpoint | None = None
    summary: Summary = field(default_factory=Summary)
    _heads: dict[str, AuditChain] = field(init=False, default_factory=dict)
    _seen: set[str] = field(init=False, default_factory=set)
    _gaps: bool = field(init=False, default=False)

    async def findings(self) -> AsyncIterator[Finding]:
        """Everything that is wrong, as it is found."""
        async for finding in self._all():
            self.summary.findings += 1
            self._gaps |= finding.kind in (FindingKind.REMOVED, FindingKind.CHAIN_REMOVED)
            yield finding

    async def _all(self) -> AsyncIterator[Finding]:
        async with self.database.read() as session:
            registry = await repository.registry(session)
            heads = await repository.heads(session)
        self._heads = {head.chain_id: head for head in heads}
        async for finding in self._registry(registry, heads):
            yield finding
        async for finding in self._chained():
            yield finding
        async for finding in self._chains_without_rows():
            yield finding
        async for row in reading.without_place(self.database):
            yield _at(FindingKind.CHANGED, row, "a part of the chain's columns is missing")
        async for finding in self._unchained(registry):
            yield finding
        async for finding in self._missing(registry):
            yield finding
        async for finding in self._checkpoint():
            yield finding

    async def _missing(self, registry: AuditChainRegistry | None) -> AsyncIterator[Finding]:
        """Rows that others tell of: the chains themselves may have been emptied with everything in them."""
        if registry is None or self._gaps:  # the chains themselves have told
            return
        since = registry.dropped_before
        if since is not None and not registry.dropped_by(self.keys):
            yield Finding(FindingKind.HEAD_CHANGED, "what is recorded of dropped rows was changed")
            since = None
        async for finding in missing_rows(self.database, since, registry.unchained_time):
            yield finding

    async def _registry(
        self, registry: AuditChainRegistry | None, heads: list[AuditChain]
    ) -> AsyncIterator[Finding]:
        """Whether every chain that was opened is still there."""
        if registry is None:
            if heads or await self._has_rows() or await witnesses.any_use(self.database):
                text = "no chain was ever opened here, or their registry was removed"
                yield Finding(FindingKind.CHAIN_REMOVED, text)
            return
        key = self.keys.by_id(registry.key_id)
        if key is None:
            yield Finding(FindingKind.KEY, "the registry of the chains was sealed with another key")
            return
        if not key.sealed(registry.seal, Sealed.REGISTRY, *registry.facts()):
            yield Finding(FindingKind.HEAD_CHANGED, "the registry of the chains was changed")
            return
        numbers = {head.number for head in heads}
        for first, last in _gaps(numbers, registry.chains):
            chains = f"chain number {first}" if first == last else f"chains number {first} to {last}"
            yield Finding(FindingKind.CHAIN_REMOVED, f"{chains} with all rows and the head")
        async with self.database.read() as session:
            now = await repository.registry(session)
        for head in heads:
            if now is None or not 1 <= head.number <= now.chains:
                text = f"number {head.number} was never given"
                yield Finding(FindingKind.INSERTED, text, chain_id=head.chain_id)

    async def _has_rows(self) -> bool:
        async for _ in reading.chained(self.database):
            return True
        return await reading.count_unchained(self.database) > 0

    async def _chained(self) -> AsyncIterator[Finding]:
        chain: _Chain | None = None
        async for group in reading.chained(self.database):
            if chain is None or chain.chain_id != group[0].chain_id:
                if chain is not None:
                    async for finding in chain.finish():
                        yield finding
                    self.summary.rows += chain.rows
                chain = await self._chain(group[0].chain_id)
            async for finding in chain.take(group):
                yield finding
        if chain is not None:
            async for finding in chain.finish():
                yield finding
            self.summary.rows += chain.rows

    async def _chain(self, chain_id: str) -> _Chain:
        self._seen.add(chain_id)
        head = self._heads.get(chain_id)
        if head is None:  # opened since
            async with self.database.read() as session:
                head = await repository.head(session, chain_id)
        self.summary.chains += head is not None
        return _Chain(self.database, self.keys, chain_id, head)

    async def _chains_without_rows(self) -> AsyncIterator[Finding]:
        for chain_id, head in self._heads.items():
            if chain_id not in self._seen:
                self.summary.chains += 1
                chain = _Chain(self.database, self.keys, chain_id, head)
                async for finding in chain.finish():
                    yield finding

    async def _unchained(self, registry: AuditChainRegistry | None) -> AsyncIterator[Finding]:
        self.summary.unchained = await reading.count_unchained(self.database)
        if registry is None:
            return
        async with self.database.read() as session:
            accepted = await repository.accepted(session)
        believed = []
        for known in accepted:
            key = self.keys.by_id(known.key_id)
            if key is None or not key.sealed(known.seal, Sealed.UNCHAINED, *known.facts()):
                yield Finding(FindingKind.HEAD_CHANGED, f"the acceptance of rows from {known.first_id} on")
                continue
            believed.append(known)
            rows = await reading.count_unchained(self.database, first=known.first_id, last=known.last_id)
            if rows > known.rows:
                ids = f"from id {known.first_id} to {known.last_id}"
                yield Finding(FindingKind.NOT_CHAINED, f"{rows - known.rows} more than accepted {ids}")
        async for row in reading.unchained_since(self.database, registry):
            if not any(known.first_id <= row.id <= known.last_id for known in believed):
                yield _at(FindingKind.NOT_CHAINED, row, "newer than the first chain and in none")

    async def _checkpoint(self) -> AsyncIterator[Finding]:
        if self.checkpoint is None:
            return
        for chain_id, (position, mac) in self.checkpoint.chains.items():
            async with self.database.read() as session:
                head = await repository.head(session, chain_id)
            where = f"at {self.checkpoint.moment} it went to position {position}"
            if head is None:
                yield Finding(FindingKind.CHECKPOINT, f"the chain is gone; {where}", chain_id=chain_id)
            elif head.position < position:
                text = f"the chain was set back to position {head.position}; {where}"
                yield Finding(FindingKind.CHECKPOINT, text, chain_id=chain_id)
            elif position > head.anchor_position and await self._mac(head, position) != mac:
                text = "another row stands here than at the checkpoint"
                yield Finding(FindingKind.CHECKPOINT, text, chain_id=chain_id, position=position)

    async def _mac(self, head: AuditChain, position: int) -> bytes | None:
        if head.position == position:
            return head.mac
        return await reading.mac_at(self.database, head.chain_id, position)


class _Chain:
    """The check of one chain beside its head."""

    def __init__(self, database: Database, keys: ChainKeys, chain_id: str, head: AuditChain | None) -> None:
        self.chain_id = chain_id
        self._database = database
        self._head = head
        self._key = None if head is None else keys.by_id(head.key_id)
        self._believed = False
        self._check: ChainCheck | None = None
        self._ignored: list[StoredRow] = []
        self._ignored_rows = 0
        self._said: list[Finding] = list(self._begin())

    @property
    def rows(self) -> int:
        """Rows that are as they were written."""
        return 0 if self._check is None else self._check.rows

    def _begin(self) -> Iterator[Finding]:
        head, key = self._head, self._key
        if head is None:
            return
        if key is None:
            yield Finding(
                FindingKind.KEY,
                f"written with key {head.key_id}, which is not known here",
                chain_id=self.chain_id,
            )
            return
        self._believed = head.sealed_by(key)
        if not self._believed:
            yield Finding(FindingKind.HEAD_CHANGED, "the head of the chain was changed", self.chain_id)
        start = head.start(key)
        if start is None:
            yield Finding(FindingKind.HEAD_CHANGED, "the start of the chain was changed", self.chain_id)
            start = 0, b""
        self._check = ChainCheck(key, self.chain_id, start)

    async def take(self, group: list[StoredRow]) -> AsyncIterator[Finding]:
        """The rows of the next position."""
        for said in self._said:
            yield said
        self._said.clear()
        if self._check is None:
            self._ignored = self._ignored or group
            self._ignored_rows += len(group)
            return
        if self._head is not None and self._believed and group[0].position > self._head.position:
            await self._look_again()
        limit = self._head.position if self._head is not None and self._believed else None
        for finding in self._check.take(group, limit):
            if not await self._dropped_meanwhile(finding):
                yield finding

    async def finish(self) -> AsyncIterator[Finding]:
        """After the last row."""
        for said in self._said:
            yield said
        self._said.clear()
        if self._head is None:
            text = f"a chain that was never opened, or whose head was removed; {self._ignored_rows} rows"
            yield _at(FindingKind.INSERTED, self._ignored[0], text)
        elif self._check is not None and self._believed:
            async for finding in self._catch_up(self._check.position, self._head.position):
                yield finding
            for finding in self._check.finish(self._head.position, self._head.mac):
                if not await self._dropped_meanwhile(finding):
                    yield finding

    async def _catch_up(self, position: int, until: int) -> AsyncIterator[Finding]:
        """Rows that were written after the others of this chain had been read."""
        if position < until:
            async for group in reading.chained(self._database, self.chain_id, position, until):
                async for finding in self.take(group):
                    yield finding

    async def _look_again(self) -> None:
        """The chain may have grown since."""
        async with self._database.read() as session:
            head = await repository.head(session, self.chain_id)
        if head is not None and self._key is not None and head.sealed_by(self._key):
            self._head = head

    async def _dropped_meanwhile(self, finding: Finding) -> bool:
        """Whether the rows went by retention while they were read."""
        if finding.kind is not FindingKind.REMOVED or finding.until is None or self._key is None:
            return False
        async with self._database.read() as session:
            head = await repository.head(session, self.chain_id)
        start = None if head is None else head.start(self._key)
        return start is not None and start[0] >= finding.until


async def missing_rows(
    database: Database, since: datetime | None, first_chain: datetime
) -> AsyncIterator[Finding]:
    """What activations and the general log tell of signatures that the audit knows nothing of.

    :param since: earlier rows may be gone
    :param first_chain: when the registry was made; rows are looked for before and after it
    """
    used = await witnesses.activations_without_first_row(database, since)
    if used.count:
        text = f"{used.count} activations were used, but the rows of their first signatures are gone"
        yield Finding(FindingKind.REMOVED, text, activation_id=used.example)
    async for first, last in witnesses.logged_without_rows(database, since, first_chain):
        text = f"the general log tells of signatures from {first} to {last}, and there is no row of that time"
        yield Finding(FindingKind.REMOVED, text)


async def checkpoint(database: Database, key: ChainKey) -> tuple[str, int]:
    """The text of a checkpoint of this moment, and how many chains it holds."""
    async with database.read() as session:
        heads = await repository.heads(session)
    return checkpoints.dump(key, heads, clock.now()), len(heads)


async def accept_unchained(database: Database, key: ChainKey) -> int:
    """Record that the rows that have no chain now, though newer than the first one, are known; how many.

    Meant for rows that an older release wrote while releases were exchanged. Rows that are accepted already
    are left out. That rows are missing until now, which activations or the general log tell of, is recorded
    too.
    """
    async with database.read() as session:
        registry = await repository.registry(session)
        known = await repository.accepted(session)
    if registry is None:
        return 0
    await _accept_missing(database, key, registry)
    first = last = None
    new = 0
    async for row in reading.unchained_since(database, registry):
        if not any(each.first_id <= row.id <= each.last_id for each in known):
            first, last, new = first or row, row, new + 1
    if first is None or last is None:
        return 0
    made = AuditUnchained(
        first_id=first.id,
        last_id=last.id,
        rows=await reading.count_unchained(database, first=first.id, last=last.id),
        timestamp_accepted=clock.now(),
        key_id=key.key_id,
    )
    made.seal = key.seal(Sealed.UNCHAINED, *made.facts())
    async with database.transaction() as session:
        session.add(made)
    return new


async def _accept_missing(database: Database, key: ChainKey, registry: AuditChainRegistry) -> None:
    """Record that rows are missing that others tell of, if there are such."""
    now = clock.now()
    async for _ in missing_rows(database, registry.dropped_before, registry.unchained_time):
        async with database.transaction() as session:
            await repository.record_dropped(session, key, now)
        return


async def rebuild_registry(database: Database, keys: ChainKeys) -> bool:
    """Make the registry anew from the heads that are left, if it is damaged; whether it was.

    Rows without a chain are known up to the opening of the first chain that can be believed.
    """
    async with database.transaction() as session:
        found = await repository.registry(session)
        if found is not None:
            key = keys.by_id(found.key_id)
            if key is not None and key.sealed(found.seal, Sealed.REGISTRY, *found.facts()):
                return False
            await session.delete(found)
            await session.flush()
        heads = await repository.heads(session)
        opened = [head.timestamp_opened for head in heads if _believed(keys, head)]
        await repository.make_registry(session, keys, heads, min(opened, default=clock.now()))
    return True


def _believed(keys: ChainKeys, head: AuditChain) -> bool:
    key = keys.by_id(head.key_id)
    return key is not None and head.sealed_by(key)


def _gaps(numbers: set[int], count: int) -> Iterator[tuple[int, int]]:
    """Ranges of 1 to ``count`` that are missing."""
    expected = 1
    for number in [*sorted(number for number in numbers if 1 <= number <= count), count + 1]:
        if number > expected:
            yield expected, number - 1
        expected = number + 1


def _at(kind: FindingKind, row: StoredRow, text: str) -> Finding:
    return Finding(
        kind,
        text,
        chain_id=row.chain_id,
        position=row.position or None,
        row_id=row.id,
        activation_id=row.activation_id,
    )
