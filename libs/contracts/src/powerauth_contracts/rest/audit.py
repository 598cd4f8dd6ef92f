"""Wire models of ``audit/log/list`` (cloud-api §16)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from powerauth_contracts.calls import Call
from powerauth_contracts.enums import AuditLevel
from powerauth_contracts.fields import RequiredText
from powerauth_contracts.wire import CoreDateTime, RequestModel, WireModel

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


class ListAuditResponse(WireModel):
    """One page, newest first."""

    items: list[AuditItem]
    has_next: bool


LIST = Call(
    "/rest/v3/audit/log/list",
    ListAuditRequest,
    ListAuditResponse,
    "Audit records about a user, newest first.",
)
