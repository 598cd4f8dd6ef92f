"""What the database tells of the master keys."""

from powerauth_push.base import Base
from servicekit.key_records import KeyRecord


class MasterKeyRecord(KeyRecord, Base):
    """The record of one master key."""

    __tablename__ = "push_master_key_record"
