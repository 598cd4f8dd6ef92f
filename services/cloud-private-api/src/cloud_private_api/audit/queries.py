"""Use cases of the audit queries (spec/cloud-api.md §10)."""

from __future__ import annotations

from collections.abc import Sequence

from cloud_private_api.access.rules import Caller
from cloud_private_api.audit import rules
from cloud_private_api.core_client import CoreClient
from cloud_private_api.core_errors import Area, in_area
from cloud_private_api.errors import AuditRefused
from cloud_private_api.parameters import Page
from cloud_private_api.periods import Period
from powerauth_contracts.cloud.audit import AuditEvent, AuditEvents, SignatureEvents
from powerauth_contracts.rest import audit as contract
from powerauth_contracts.rest import verification


def _check(subject: str, period: Period) -> None:
    if not subject.strip() or period.backwards:
        raise AuditRefused


@in_area(Area.ADMIN)
async def signatures(core: CoreClient, caller: Caller, user_id: str, period: Period) -> SignatureEvents:
    """The verifications of a user's codes in the caller's applications, newest first.

    :raises AuditRefused: no user, or a period that ends before it starts
    """
    _check(user_id, period)
    if not caller.applications:
        return SignatureEvents(items=[])
    found = await core.ask(
        verification.LIST,
        user_id=user_id,
        application_ids=caller.applications,
        timestamp_from=period.start,
        timestamp_to=period.end,
    )
    shown = [item for item in found.items if item.application_id in caller.applications]
    return SignatureEvents(items=rules.newest_first(shown))


@in_area(Area.ADMIN)
async def log(
    core: CoreClient,
    caller: Caller,
    subject_id: str,
    period: Period,
    page: Page,
    *,
    types: Sequence[str],
    min_level: str,
) -> AuditEvents:
    """The core's general audit log about a user. An administrator also sees records that name no application.

    :raises AuditRefused: no user, or a period that ends before it starts
    """
    _check(subject_id, period)
    if not caller.is_admin and not caller.applications:
        return AuditEvents(items=[], page=page.number, size=page.size, has_next=False)
    answer = await core.ask(
        contract.LIST,
        subject_id=subject_id,
        application_ids=None if caller.is_admin else caller.applications,
        types=types or None,
        min_level=min_level,
        timestamp_from=period.start,
        timestamp_to=period.end,
        page_number=page.number,
        page_size=page.size,
    )
    items = [
        AuditEvent(
            id=item.id,
            subject_id=item.subject_id,
            application_name=item.application_name,
            type=item.type,
            level=item.level,
            timestamp=item.timestamp,
            message=item.message,
            param=item.param,
        )
        for item in answer.items
    ]
    return AuditEvents(items=items, page=page.number, size=page.size, has_next=answer.has_next)
