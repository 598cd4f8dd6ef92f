"""Wire models of ``audit/log/list`` (cloud-api §16)."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field

from powerauth_core.audit.models import AuditLog
from powerauth_core.audit.rules import AuditLevel
from powerauth_core.kernel.fields import RequiredText
from powerauth_protocol.common.json_text import JsonError, read_json
from servicekit.wire import CoreDateTime, RequestModel, WireModel

MAX_PAGE = 1_000


class ListAuditRequest(RequestModel):
    """Records about ``subjectId`` (a user id) in an inclusive time range.

    ``applicationIds``: null = no restriction, ``[]`` = nothing; otherwise only records that name one of them.
    """

    subject_id: Annotated[RequiredText, Field(max_length=256)]
    application_ids: list[str] | None = None
    types: list[str] | None = None
    min_level: AuditLevel = AuditLevel.INFO
    timestamp_from: CoreDateTime
    timestamp_to: CoreDateTime
    page_number: int = Field(default=0, ge=0, le=1_000_000)
    page_size: int = Field(default=100, ge=1, le=MAX_PAGE)


class AuditItem(WireModel):
    """One audit record."""

    id: str
    subject_id: str | None
    application_name: str
    type: str | None
    level: str
    timestamp: CoreDateTime | None
    message: str
    param: dict[str, Any]

    @classmethod
    def of(cls, row: AuditLog) -> Self:
        """The wire form of a row; parameters that are no JSON object (adopted rows) become ``{}``."""
        try:
            param = read_json(row.param or "{}")
        except JsonError:
            param = {}
        return cls(
            id=row.audit_log_id,
            subject_id=row.subject_id,
            application_name=row.application_name,
            type=row.audit_type,
            level=row.audit_level,
            timestamp=row.timestamp_created,
            message=row.message,
            param=param if isinstance(param, dict) else {},
        )


class ListAuditResponse(WireModel):
    """One page, newest first."""

    items: list[AuditItem]
    has_next: bool
