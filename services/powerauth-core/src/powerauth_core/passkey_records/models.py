"""What of a passkey does not fit into its activation (spec/device-trust.md §4.1, §4.9)."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.activations.models import Activation
from powerauth_core.kernel.base import Base, JsonText, Timestamp


class Fido2Attestation(Base):
    """The statement that a passkey was registered with; none for format ``none``."""

    __tablename__ = "pa_fido2_attestation"

    activation_id: Mapped[str] = mapped_column(
        String(37), ForeignKey(Activation.activation_id), primary_key=True
    )
    fmt: Mapped[str] = mapped_column(String(32))
    """Format of the statement."""
    statement: Mapped[bytes] = mapped_column(LargeBinary)
    """The statement in CBOR, as it came."""
    x5c: Mapped[list[str]] = mapped_column(JsonText())
    """JSON array of its certificates, Base64 of DER, the leaf first."""
    mds_no: Mapped[int | None] = mapped_column(BigInteger)
    """Number of the metadata that it was judged by, `pa_mds_blob.no`; empty: there was none."""
    evaluated_at: Mapped[datetime] = mapped_column(Timestamp)
    """When it was judged last."""


class Fido2User(Base):
    """What authenticators know a user by, in place of the bank's id."""

    __tablename__ = "pa_fido2_user"
    __table_args__ = (Index("pa_fido2_user_handle_idx", "user_handle", "application_id", unique=True),)

    user_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    application_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("pa_application.id"), primary_key=True, autoincrement=False
    )
    user_handle: Mapped[str] = mapped_column(String(32))
    """Base64 of 16 random bytes."""
