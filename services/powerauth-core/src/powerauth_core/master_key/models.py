"""What the database tells of the master keys."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.kernel.base import Base
from servicekit.key_records import KeyRecord


class MasterKeyRecord(KeyRecord, Base):
    """The record of one master key (D34); the absence of all says nothing.

    :ivar row_binding: name of a `RowBinding`, the same in every record
    :ivar seal: MAC over it under a key derived from this master key
    """

    __tablename__ = "master_key_record"

    row_binding: Mapped[str] = mapped_column(String(16))
    seal: Mapped[str] = mapped_column(String(64))
