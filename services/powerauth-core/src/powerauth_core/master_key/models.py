"""What the database tells of the master key."""

from datetime import datetime

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.kernel.base import Base, Timestamp


class MasterKeyRecord(Base):
    """The one record of the master key; its absence says nothing.

    :ivar key_check: a value that only the right key gives, and that gives nothing of the key away
    :ivar row_binding: name of a `RowBinding`
    :ivar seal: MAC over both
    """

    __tablename__ = "master_key_record"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    key_check: Mapped[str] = mapped_column(String(64))
    row_binding: Mapped[str] = mapped_column(String(16))
    seal: Mapped[str] = mapped_column(String(64))
    timestamp_created: Mapped[datetime] = mapped_column(Timestamp)
