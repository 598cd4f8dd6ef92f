"""Operation templates and localised texts (spec/core-api.md §20, §25; enrollment-api §20; D2)."""

from sqlalchemy import BigInteger, Index, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_core.kernel.base import Base, LongId, sequence_id
from powerauth_core.templates.rules import NumberMatching, UserLimits


class OperationTemplate(Base):
    """What an operation is made from. ``signature_type`` is comma-joined lower-case text."""

    __tablename__ = "pa_operation_template"
    __table_args__ = (
        UniqueConstraint("template_name", name="pa_operation_template_template_name_uk"),
        Index("pa_operation_template_name_idx", "template_name"),
    )

    id: Mapped[int] = sequence_id("pa_operation_template_seq", LongId)
    template_name: Mapped[str] = mapped_column(String(255))
    """Its name."""
    operation_type: Mapped[str] = mapped_column(String(255))
    """Type of its operations."""
    data_template: Mapped[str] = mapped_column(String(255))
    """What is signed, with places for parameters."""
    signature_type: Mapped[str] = mapped_column(String(255))
    max_failure_count: Mapped[int] = mapped_column(BigInteger)
    """Failed approvals that end an operation."""
    expiration: Mapped[int] = mapped_column(BigInteger)
    """How long an operation may wait, in seconds."""
    risk_flags: Mapped[str | None] = mapped_column(String(255))
    """Letters for its risk."""
    proximity_check_enabled: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether the phone has to be near the screen."""
    number_matching_digits: Mapped[int | None]
    """Digits of the number to find; empty: there is none."""
    number_matching_choices: Mapped[int | None]
    """Numbers that the phone offers; 0: it is typed in."""
    unexpected_action: Mapped[str | None] = mapped_column(String(16))
    """What happens when a user says that one is not his."""
    user_pending_limit: Mapped[int | None]
    """Pending operations of one user at most; empty: any number."""
    user_minute_limit: Mapped[int | None]
    """Operations of one user a minute at most; empty: any number."""
    issue_tokens: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether an approved one may be exchanged for signed tokens."""

    @property
    def user_limits(self) -> UserLimits | None:
        """How often a user may be asked, if that is limited."""
        limits = UserLimits(self.user_pending_limit, self.user_minute_limit)
        return None if limits == UserLimits(None, None) else limits

    @user_limits.setter
    def user_limits(self, wanted: UserLimits | None) -> None:
        self.user_pending_limit = None if wanted is None else wanted.pending
        self.user_minute_limit = None if wanted is None else wanted.per_minute

    @property
    def number_matching(self) -> NumberMatching | None:
        """The number that operations are approved with, if they are."""
        if self.number_matching_digits is None:
            return None
        return NumberMatching(self.number_matching_digits, self.number_matching_choices or 0)

    @number_matching.setter
    def number_matching(self, wanted: NumberMatching | None) -> None:
        self.number_matching_digits = None if wanted is None else wanted.digits
        self.number_matching_choices = None if wanted is None else wanted.choices


class OperationText(Base):
    """Texts of one operation type (``placeholder``) in one language; JSON parts are kept as text."""

    __tablename__ = "es_operation_template"
    __table_args__ = (Index("es_operation_template_placeholder", "placeholder", "language", unique=True),)

    id: Mapped[int] = sequence_id("es_operation_template_seq", LongId)
    placeholder: Mapped[str] = mapped_column(String(255))
    """Type of the operation."""
    language: Mapped[str] = mapped_column(String(8))
    """ISO 639 code."""
    title: Mapped[str] = mapped_column(String(255))
    """Title, with places for parameters."""
    message: Mapped[str] = mapped_column(Text)
    """Text, with places for parameters."""
    attributes: Mapped[str | None] = mapped_column(Text)
    """JSON array of what the phone shows in detail."""
    ui: Mapped[str | None] = mapped_column(Text)
    """JSON of what stands before and after the approval."""
    result_texts: Mapped[str | None] = mapped_column(Text)
    """JSON of the texts by outcome."""
