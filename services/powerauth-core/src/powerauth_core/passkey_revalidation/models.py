"""Runs of the daily look at stored attestations (spec/device-trust.md §4.11)."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, String, text
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.kernel.base import Base, Timestamp


class PasskeyRevalidation(Base):
    """One run: how far it is, and what came of it."""

    __tablename__ = "pa_passkey_revalidation"

    id: Mapped[str] = mapped_column(String(37), primary_key=True)
    no: Mapped[int | None]
    """Number of the metadata that it judges by; empty: there was none that anything may rest on."""
    status: Mapped[str] = mapped_column(String(16))
    """`COUNTING`, then `APPLYING` if something changes; at last `DONE`, `ABORTED`, `SKIPPED` or `REPLACED` by
    one that judges by newer metadata."""
    forced: Mapped[bool] = mapped_column(Boolean)
    """Whether it changes things however many they are."""
    started_at: Mapped[datetime] = mapped_column(Timestamp)
    """When it began."""
    finished_at: Mapped[datetime | None] = mapped_column(Timestamp)
    """When it ended; empty: it goes on, or was stopped and will."""
    application: Mapped[str] = mapped_column(String(255), server_default=text("''"))
    """Application that it is at, by the order of their names."""
    position: Mapped[str] = mapped_column(String(255), server_default=text("''"))
    """Credential id there behind which it goes on."""
    checked: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """Passkeys whose attestation was judged."""
    found_invalid: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """Those of them that lose their trust, as counted before anything was changed."""
    found_changed: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """Those of them whose record changes at all."""
    invalidated: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """Those whose trust was taken."""
    restored: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))
    """Those that were given it back."""
