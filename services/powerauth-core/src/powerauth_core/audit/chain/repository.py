"""Queries of the chains' own tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.audit.chain.keys import ChainKey, ChainKeys, Sealed, anchor_facts
from powerauth_core.audit.chain.models import AuditChain, AuditChainRegistry, AuditUnchained
from powerauth_core.audit.signatures import SignatureAudit
from servicekit.database import insert_ignore

_ONLY = 1


class RegistryDamaged(Exception):
    """The registry of the chains is not as this software left it; writing on would hide that."""


async def register(session: AsyncSession, keys: ChainKeys, now: datetime) -> int:
    """Count one more chain; its number. Holds the registry until the end of the transaction.

    :raises RegistryDamaged: it was changed, or sealed with a key that is not known
    """
    registry = await _locked(session) or await _first(session, keys, now)
    key = keys.by_id(registry.key_id)
    if key is None:
        raise RegistryDamaged("the registry of the chains was sealed with another key")
    if not key.sealed(registry.seal, Sealed.REGISTRY, *registry.facts()):
        raise RegistryDamaged("the registry of the chains was changed")
    registry.chains += 1
    registry.seal_with(keys.current)
    return registry.chains


async def _locked(session: AsyncSession) -> AuditChainRegistry | None:
    found: AuditChainRegistry | None = await session.scalar(
        select(AuditChainRegistry).where(AuditChainRegistry.id == _ONLY).with_for_update()
    )
    return found


async def _first(session: AsyncSession, keys: ChainKeys, now: datetime) -> AuditChainRegistry:
    """Make the registry: rows from before may be without a chain, later ones may not."""
    newest = await session.scalar(select(func.max(SignatureAudit.id)))
    made = AuditChainRegistry(id=_ONLY, chains=0, unchained_id=newest or 0, unchained_time=now)
    made.seal_with(keys.current)
    values = {column.name: getattr(made, column.key) for column in AuditChainRegistry.__table__.columns}
    inserted = await insert_ignore(session, AuditChainRegistry.__table__, values)  # type: ignore[arg-type]
    if inserted and await session.scalar(select(func.count(AuditChain.chain_id))):
        raise RegistryDamaged("there are chains, but their registry is gone")
    registry = await _locked(session)
    assert registry is not None
    return registry


async def make_registry(
    session: AsyncSession, keys: ChainKeys, heads: Sequence[AuditChain], unchained_time: datetime
) -> None:
    """A registry that knows these chains, and rows without a chain up to the given time."""
    newest = await session.scalar(
        select(func.max(SignatureAudit.id)).where(
            SignatureAudit.chain_id.is_(None), SignatureAudit.timestamp_created <= unchained_time
        )
    )
    made = AuditChainRegistry(
        id=_ONLY,
        chains=max((head.number for head in heads), default=0),
        unchained_id=newest or 0,
        unchained_time=unchained_time,
    )
    made.seal_with(keys.current)
    session.add(made)


async def record_dropped(session: AsyncSession, key: ChainKey, before: datetime) -> None:
    """Let verifications know that rows from before a moment may be gone, if there are chains at all."""
    registry = await _locked(session)
    if registry is not None and (registry.dropped_before is None or registry.dropped_before < before):
        registry.drop_with(key, before)


async def close(session: AsyncSession, chain_id: str, now: datetime, seal: bytes) -> None:
    """Store that the writer of a chain gives it up."""
    await session.execute(
        update(AuditChain).where(AuditChain.chain_id == chain_id).values(timestamp_closed=now, seal=seal)
    )


async def registry(session: AsyncSession) -> AuditChainRegistry | None:
    """The registry, if a chain was ever opened."""
    return await session.get(AuditChainRegistry, _ONLY, populate_existing=True)


async def heads(session: AsyncSession) -> list[AuditChain]:
    """All chains in the order in which they were opened."""
    return list(await session.scalars(select(AuditChain).order_by(AuditChain.number)))


async def head(session: AsyncSession, chain_id: str) -> AuditChain | None:
    """One chain as it is now."""
    return await session.get(AuditChain, chain_id, populate_existing=True)


async def accepted(session: AsyncSession) -> list[AuditUnchained]:
    """What operators have accepted."""
    return list(await session.scalars(select(AuditUnchained).order_by(AuditUnchained.first_id)))


async def kept_chains(
    session: AsyncSession, since: datetime | None, until: datetime, limit: int | None = None
) -> list[AuditChain]:
    """Chains whose last row is in ``[since, until)`` and not dropped yet."""
    statement = (
        select(AuditChain)
        .where(AuditChain.timestamp_last < until, AuditChain.anchor_position < AuditChain.position)
        .order_by(AuditChain.number)
        .limit(limit)
    )
    if since is not None:
        statement = statement.where(AuditChain.timestamp_last >= since)
    return list(await session.scalars(statement))


async def set_anchor(
    session: AsyncSession, key: ChainKey | None, chain_id: str, position: int, mac: bytes
) -> None:
    """Let a chain begin after this position: what was before it is dropped.

    :param key: None: nobody vouches for it, so a verification says that the start was changed
    """
    facts = anchor_facts(chain_id, position, mac)
    await session.execute(
        update(AuditChain)
        .where(AuditChain.chain_id == chain_id)
        .values(
            anchor_position=position,
            anchor_mac=mac,
            anchor_seal=None if key is None else key.seal(Sealed.ANCHOR, *facts),
        )
    )
