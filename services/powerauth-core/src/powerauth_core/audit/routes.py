"""HTTP side of the audit log."""

from powerauth_contracts.rest import audit as contract
from powerauth_core.audit import service
from powerauth_core.audit.models import AuditLog
from powerauth_core.audit.ports import Ports
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.kernel.paging import Page
from powerauth_protocol.common.json_text import JsonError, read_json

router = CallRouter("Audit")


@router.answers(contract.LIST)
async def list_records(ports: Ports, asked: contract.ListAuditRequest) -> contract.ListAuditResponse:
    rows, more = await service.list_records(
        ports.reading,
        subject_id=asked.subject_id,
        types=asked.types,
        min_level=asked.min_level,
        since=asked.timestamp_from,
        until=asked.timestamp_to,
        page=Page(asked.page_number, asked.page_size),
        scope=asked.application_ids,
    )
    return contract.ListAuditResponse(items=[_item(row) for row in rows], has_next=more)


def _item(row: AuditLog) -> contract.AuditItem:
    """The wire form of a row; parameters that are no JSON object (adopted rows) become ``{}``."""
    try:
        param = read_json(row.param or "{}")
    except JsonError:
        param = {}
    return contract.AuditItem(
        id=row.audit_log_id,
        subject_id=row.subject_id,
        application_name=row.application_name,
        type=row.audit_type,
        level=row.audit_level,
        timestamp=row.timestamp_created,
        message=row.message,
        param=param if isinstance(param, dict) else {},
    )
