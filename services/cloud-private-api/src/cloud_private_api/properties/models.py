"""Properties of the installation (spec/cloud-api.md §16)."""

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from cloud_private_api.base import Base


class Property(Base):
    """One named value; known is ``service.base.url``."""

    __tablename__ = "pa_cloud_property"

    name: Mapped[str] = mapped_column(String(255), primary_key=True)
    """Its name."""
    value: Mapped[str | None] = mapped_column(Text)
    """Its value."""
