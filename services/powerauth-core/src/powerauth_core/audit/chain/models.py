"""Tables of the chains: heads, their registry, and rows without a chain that are known (docs/audit.md)."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.audit.chain.keys import (
    FIRST_LINK,
    ChainKey,
    ChainKeys,
    Sealed,
    anchor_facts,
    head_facts,
)
from powerauth_core.kernel.base import Base, Timestamp

CHAIN_ID_LENGTH = 16


class AuditChain(Base):
    """The head of one chain: how far it goes, and what was dropped of it by retention.

    ``seal`` covers the head and is written by the chain's one writer with every batch of rows;
    ``anchor_seal`` covers the anchor and is written by the retention, so that the two need no common lock.
    """

    __tablename__ = "audit_chain"
    __table_args__ = (Index("audit_chain_number_uk", "number", unique=True),)

    chain_id: Mapped[str] = mapped_column(String(CHAIN_ID_LENGTH), primary_key=True)
    """Random name of the chain."""
    number: Mapped[int] = mapped_column(BigInteger)
    """Its place among all chains, from 1, without gaps."""
    key_id: Mapped[str] = mapped_column(String(16))
    timestamp_opened: Mapped[datetime] = mapped_column(Timestamp)
    """When its writer began."""
    timestamp_last: Mapped[datetime] = mapped_column(Timestamp)
    """Time of its newest row."""
    timestamp_closed: Mapped[datetime | None] = mapped_column(Timestamp)
    """When its writer ended; empty: it goes on, or its writer was killed."""
    position: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    """How many rows it has."""
    mac: Mapped[bytes] = mapped_column(LargeBinary, default=FIRST_LINK)
    """MAC of its newest row."""
    seal: Mapped[bytes] = mapped_column(LargeBinary)
    """MAC over the head."""
    anchor_position: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    """Up to which row retention has dropped it; 0: none."""
    anchor_mac: Mapped[bytes | None] = mapped_column(LargeBinary)
    """MAC of that row."""
    anchor_seal: Mapped[bytes | None] = mapped_column(LargeBinary)
    """MAC over the anchor."""

    def sealed_by(self, key: ChainKey) -> bool:
        """Whether the head is as its writer left it."""
        facts = head_facts(
            self.chain_id,
            self.number,
            self.key_id,
            self.timestamp_opened,
            self.timestamp_last,
            self.timestamp_closed,
            self.position,
            self.mac,
        )
        return key.sealed(self.seal, Sealed.HEAD, *facts)

    def start(self, key: ChainKey) -> tuple[int, bytes] | None:
        """Position and MAC before the first row that is kept; None when the anchor was changed."""
        if self.anchor_position == 0:
            return 0, FIRST_LINK
        mac = self.anchor_mac or b""
        facts = anchor_facts(self.chain_id, self.anchor_position, mac)
        return (self.anchor_position, mac) if key.sealed(self.anchor_seal, Sealed.ANCHOR, *facts) else None


class AuditChainRegistry(Base):
    """The one row that counts the chains, so that a chain cannot vanish together with its head.

    Rows of the signature audit without a chain are older than the first chain: their ids and times are not
    above ``unchained_id`` and ``unchained_time``.

    Rows from before ``dropped_before`` may be gone: by retention, or because an operator knows of it.
    """

    __tablename__ = "audit_chain_registry"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    key_id: Mapped[str] = mapped_column(String(16))
    chains: Mapped[int] = mapped_column(BigInteger)
    """How many chains there are."""
    unchained_id: Mapped[int] = mapped_column(BigInteger)
    """Rows without a chain have ids up to this one."""
    unchained_time: Mapped[datetime] = mapped_column(Timestamp)
    """And times up to this one."""
    seal: Mapped[bytes] = mapped_column(LargeBinary)
    dropped_before: Mapped[datetime | None] = mapped_column(Timestamp)
    """Rows from before it may be gone."""
    # By the retention, with the key of its process; the other seal is written with every new chain.
    dropped_key_id: Mapped[str | None] = mapped_column(String(16))
    """Public name of the key of `dropped_seal`."""
    dropped_seal: Mapped[bytes | None] = mapped_column(LargeBinary)
    """MAC over `dropped_before`."""

    def facts(self) -> tuple[object, ...]:
        """What the seal covers."""
        return self.key_id, self.chains, self.unchained_id, self.unchained_time

    def drop_with(self, key: ChainKey, before: datetime) -> None:
        """Record, sealed, that rows from before a moment may be gone."""
        self.dropped_before, self.dropped_key_id = before, key.key_id
        self.dropped_seal = key.seal(Sealed.DROPPED, before)

    def dropped_by(self, keys: ChainKeys) -> bool:
        """Whether what is recorded of dropped rows can be believed."""
        key = keys.by_id(self.dropped_key_id or "")
        return key is not None and key.sealed(self.dropped_seal, Sealed.DROPPED, self.dropped_before)

    def seal_with(self, key: ChainKey) -> None:
        """Seal the record as it is now."""
        self.key_id = key.key_id
        self.seal = key.seal(Sealed.REGISTRY, *self.facts())


class AuditChainKey(Base):
    """The key of chains from under an earlier master key, encrypted with the present one (D34)."""

    __tablename__ = "audit_chain_key"

    key_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    chain_key: Mapped[str] = mapped_column(String(255))
    """The key, encrypted and in Base64. **Secret.**"""
    chain_key_encryption: Mapped[int] = mapped_column(Integer)
    timestamp_created: Mapped[datetime] = mapped_column(Timestamp)


class AuditUnchained(Base):
    """Rows without a chain that an operator has accepted: all between two ids, and how many they are."""

    __tablename__ = "audit_unchained"

    first_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """First row of the signature audit that is meant."""
    last_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    """Last one."""
    rows: Mapped[int] = mapped_column(BigInteger)
    """How many there are between them."""
    timestamp_accepted: Mapped[datetime] = mapped_column(Timestamp)
    """When an operator accepted them."""
    key_id: Mapped[str] = mapped_column(String(16))
    seal: Mapped[bytes] = mapped_column(LargeBinary)

    def facts(self) -> tuple[object, ...]:
        """What the seal covers."""
        return self.first_id, self.last_id, self.rows, self.timestamp_accepted, self.key_id
