"""Tables of system users (spec/cloud-api.md §16)."""

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from cloud_private_api.base import Base, sequence_id, user_sequence


class User(Base):
    """One caller of this API. ``userpassword`` is a hash: argon2id, or an older bcrypt or SHA-256 one."""

    __tablename__ = "pa_cloud_user"
    __table_args__ = (Index("pa_cloud_user_username_idx", "username", unique=True),)

    id: Mapped[int] = sequence_id(user_sequence)
    username: Mapped[str] = mapped_column(String(255))
    """Name that it calls with."""
    userpassword: Mapped[str] = mapped_column(String(255))
    """Hash of the password. **Secret.**"""
    enabled: Mapped[bool]
    """Whether it may call."""


class UserAuthority(Base):
    """One role of a user, ``ROLE_USER`` or ``ROLE_ADMIN``."""

    __tablename__ = "pa_cloud_user_authority"
    __table_args__ = (UniqueConstraint("user_id", "authority"),)

    id: Mapped[int] = sequence_id(user_sequence)
    user_id: Mapped[int] = mapped_column(ForeignKey("pa_cloud_user.id", ondelete="CASCADE"))
    """The user, `pa_cloud_user.id`."""
    authority: Mapped[str] = mapped_column(String(255))
    """Name of the role."""


class UserApplication(Base):
    """One application that a user may see, by its application id."""

    __tablename__ = "pa_cloud_user_application"
    __table_args__ = (UniqueConstraint("user_id", "app_id"),)

    id: Mapped[int] = sequence_id(user_sequence)
    user_id: Mapped[int] = mapped_column(ForeignKey("pa_cloud_user.id", ondelete="CASCADE"))
    """The user, `pa_cloud_user.id`."""
    app_id: Mapped[str] = mapped_column(String(255))
    """The application, by the id that others know."""
