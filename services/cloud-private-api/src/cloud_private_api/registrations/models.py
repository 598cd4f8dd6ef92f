"""What ``POST /registration`` made (spec/cloud-api.md §13.4, §16)."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from cloud_private_api.base import Base
from servicekit.database import UtcTimestamp


class SingleDeviceRegistration(Base):
    """A registration that replaces the user's others once it is ACTIVE. The row goes when that is done."""

    __tablename__ = "pa_cloud_v1_registration"
    __table_args__ = (Index("pa_cloud_v1_registration_user", "user_id", "app_id"),)

    activation_id: Mapped[str] = mapped_column(String(37), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(255))
    app_id: Mapped[str] = mapped_column(String(255))
    timestamp_created: Mapped[datetime] = mapped_column(UtcTimestamp)
