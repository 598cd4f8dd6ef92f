"""Known passkey authenticators (spec/core-api.md §25)."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.kernel.base import Base


class Fido2Authenticator(Base):
    """One authenticator model by its AAGUID."""

    __tablename__ = "pa_fido2_authenticator"

    aaguid: Mapped[str] = mapped_column(String(255), primary_key=True)
    """Id of the model."""
    description: Mapped[str] = mapped_column(String(255))
    """Its name."""
    signature_type: Mapped[str] = mapped_column(String(255))
    transports: Mapped[str | None] = mapped_column(String(255))
    """How it is reached."""
