"""Localised push texts (spec/cloud-api.md §16)."""

from sqlalchemy import String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud_private_api.base import Base, localization_sequence, sequence_id


class Localization(Base):
    """Texts of one operation template (``placeholder`` is its name) in one language."""

    __tablename__ = "pa_cloud_localization"
    __table_args__ = (UniqueConstraint("placeholder", "language"),)

    id: Mapped[int] = sequence_id(localization_sequence)
    placeholder: Mapped[str] = mapped_column(String(255))
    """Name of the template."""
    language: Mapped[str] = mapped_column(String(8))
    """ISO 639 code."""
    title: Mapped[str] = mapped_column(Text)
    """Title of the message."""
    summary: Mapped[str] = mapped_column(Text)
    """Its text."""
