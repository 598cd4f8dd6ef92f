"""BLOBs of the metadata service, and what is known of data files (spec/device-trust.md §4.11)."""

from datetime import date, datetime

from sqlalchemy import Date, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.kernel.base import Base, Timestamp
from servicekit.partial_indexes import PartialIndex


class MdsBlob(Base):
    """One BLOB that was offered; the one that is ACTIVE is in force."""

    __tablename__ = "pa_mds_blob"
    __table_args__ = (
        PartialIndex("pa_mds_blob_active_uk", "status", unique=True, where="status = 'ACTIVE'"),
    )

    id: Mapped[str] = mapped_column(String(37), primary_key=True)
    no: Mapped[int | None]
    """Its number, which only rises; empty: refused before it could be read."""
    next_update: Mapped[date | None] = mapped_column(Date)
    """Until when it is the newest one."""
    sha256: Mapped[str] = mapped_column(String(64))
    """Of the BLOB, hexadecimal."""
    blob: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    """As it came, a compact JWS; nothing of a refused one is kept."""
    source: Mapped[str] = mapped_column(String(16))
    """`FILE`, `UPLOAD` or `HTTP`."""
    loaded_at: Mapped[datetime] = mapped_column(Timestamp)
    """When it was judged: its publisher's certificates have to be valid then."""
    loaded_by: Mapped[str] = mapped_column(String(255))
    """The administrator, or what else brought it."""
    status: Mapped[str] = mapped_column(String(16))
    """`ACTIVE`, `SUPERSEDED` or `REJECTED`."""
    error: Mapped[str | None] = mapped_column(String(255))
    """Why it was refused."""
    warned: Mapped[str | None] = mapped_column(String(16))
    """What was said of its age: `STALE`, then `UNUSABLE`; empty: nothing yet."""


class PasskeyDataFile(Base):
    """What a data file held when it was last looked at."""

    __tablename__ = "pa_passkey_data_file"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    """The setting that names it."""
    sha256: Mapped[str | None] = mapped_column(String(64))
    """Of its content, hexadecimal; empty: there was none."""
    timestamp_changed: Mapped[datetime] = mapped_column(Timestamp)
    """When that was first seen."""
