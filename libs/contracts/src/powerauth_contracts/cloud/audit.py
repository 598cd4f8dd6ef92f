"""Wire models of the audit queries (spec/cloud-api.md §10)."""

from __future__ import annotations

from types import NoneType
from typing import Any

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.wire import EpochMillis, WireModel


class SignatureEvent(WireModel):
    """One verification: ``eventData`` is method, URI id and request body on three lines."""

    activation_id: str
    event_type: str
    event_data: str
    timestamp: EpochMillis


class SignatureEvents(WireModel):
    items: list[SignatureEvent]


class AuditEvent(WireModel):
    """One record of the core's general audit log."""

    id: str
    subject_id: str | None = None
    application_name: str | None = None
    type: str | None = None
    level: str
    timestamp: EpochMillis | None = None
    message: str
    param: dict[str, Any]


class AuditEvents(WireModel):
    items: list[AuditEvent]
    page: int
    size: int
    has_next: bool


GET_AUDIT_LOG = Endpoint("getAuditLog", "GET", "/audit/log", NoneType, SignatureEvents)
GET_AUDIT_LOG_V2 = Endpoint("getAuditLogV2", "GET", "/v2/audit/log", NoneType, AuditEvents)
