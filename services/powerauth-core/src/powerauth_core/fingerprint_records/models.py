"""Table of fingerprints (spec/device-trust.md §6.3)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.kernel.base import Base, Timestamp


class Fingerprint(Base):
    """What was last seen of a device, hashed: a risk signal that nothing is decided by alone."""

    __tablename__ = "dt_fingerprint"
    __table_args__ = (
        Index("dt_fingerprint_stable_hash_idx", "application_id", "stable_hash"),
        Index("dt_fingerprint_vendor_id_idx", "application_id", "vendor_id"),
        Index("dt_fingerprint_device_id_idx", "device_id"),
        Index("dt_fingerprint_cluster_id_idx", "cluster_id"),
        Index("dt_fingerprint_activation_id_idx", "activation_id"),
        Index("dt_fingerprint_last_seen_idx", "last_seen"),
    )

    fingerprint_id: Mapped[str] = mapped_column(String(37), primary_key=True)
    """UUID."""
    application_id: Mapped[int] = mapped_column(Integer, ForeignKey("pa_application.id"))
    """The application that was told of it."""
    device_id: Mapped[str | None] = mapped_column(String(37))
    """The device, known by its key."""
    cluster_id: Mapped[str | None] = mapped_column(String(37))
    """The device, known by its association keys."""
    activation_id: Mapped[str | None] = mapped_column(String(37))
    """The activation on it."""
    stable_hash: Mapped[str] = mapped_column(String(43))
    """Of the members that do not change, by which it is found without a key."""
    vendor_id: Mapped[str | None] = mapped_column(String(43))
    """The member `vendorId` of the components, likewise."""
    components: Mapped[str] = mapped_column(Text)
    """JSON: hashes of the members by name; in clear only `platform`, `osVersion` and `flags`."""
    first_seen: Mapped[datetime] = mapped_column(Timestamp)
    """When it was first seen."""
    last_seen: Mapped[datetime] = mapped_column(Timestamp)
    """When it was last recognised."""
    seen_count: Mapped[int] = mapped_column(Integer)
    """How often."""
