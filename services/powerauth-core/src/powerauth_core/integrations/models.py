"""Integrations: the callers of the core (spec/core-api.md §16, §25; D1 rule 7, D13)."""

from sqlalchemy import Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_contracts.enums import IntegrationKind
from powerauth_core.kernel.base import Base
from servicekit.row_macs import BoundRow


class Integration(BoundRow, Base):
    """One caller's credentials.

    ``client_secret`` holds, by ``kind``: ``rest`` the secret (clear or encrypted as
    ``client_secret_encryption`` says), ``dmz`` only its SHA-256 as `integrations.secrets` writes it.
    """

    BOUND_COLUMNS = ("id", "client_token", "client_secret", "client_secret_encryption", "kind")

    __tablename__ = "pa_integration"
    __table_args__ = (Index("pa_integration_token", "client_token", unique=True),)

    id: Mapped[str] = mapped_column(String(37), primary_key=True)
    name: Mapped[str | None] = mapped_column(String(255))
    """Its name, unique for a door."""
    client_token: Mapped[str] = mapped_column(String(37))
    """Name that it calls with."""
    client_secret: Mapped[str] = mapped_column(String(255))
    """See above. **Secret.**"""
    client_secret_encryption: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    kind: Mapped[str] = mapped_column(
        String(16), default=IntegrationKind.REST.value, server_default=IntegrationKind.REST.value
    )
    """The door that it may use, `rest` or `dmz`."""
