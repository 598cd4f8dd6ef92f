"""Looking at activations: list, lookup, history (spec/core-api.md §7.7, §7.8, §7.14)."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol
from powerauth_contracts.rest.activation_administration import (
    ActivationHistoryItem,
    ActivationHistoryRequest,
    ActivationHistoryResponse,
    ActivationItem,
    ListActivationsRequest,
    ListActivationsResponse,
    LookupActivationsRequest,
    LookupActivationsResponse,
)
from powerauth_core.activations import repository
from powerauth_core.activations.expiry import expire_ids, overdue
from powerauth_core.activations.models import Activation
from powerauth_core.activations.ports import Ports
from powerauth_core.settings import CoreSettings
from servicekit.database import Database

_Found = list[tuple[Activation, str]]


async def list_activations(ports: Ports, request: ListActivationsRequest) -> ListActivationsResponse:
    """``activation/list``: one page of a user's activations; those whose time is up are removed first.

    A page is cut before expiry and the protocol filter, so it may be short.
    """
    async with ports.database.read() as session:
        found = await _page(ports.settings, session, request)
    late = [activation.activation_id for activation, _ in found if overdue(activation)]
    if late:
        async with ports.database.transaction() as session:
            await expire_ids(ports.changes, session, late)
            # Those of the page, not the page: what expired may not match the requested states any more.
            fresh = await repository.lock_many(session, late)
        found = [(fresh.get(row.activation_id, row), name) for row, name in found]
    protocols = {protocol.value for protocol in request.protocols or ActivationProtocol}
    return ListActivationsResponse(
        user_id=request.user_id,
        activations=[item_of(row, name) for row, name in found if row.protocol in protocols],
    )


async def look_up_activations(
    database: Database, request: LookupActivationsRequest
) -> LookupActivationsResponse:
    """``activation/lookup``: activations of several users that match and have all requested flags."""
    wanted = repository.Lookup(
        user_ids=request.user_ids,
        application_ids=request.application_ids,
        last_used_before=request.timestamp_last_used_before,
        last_used_after=request.timestamp_last_used_after,
        status=request.activation_status,
    )
    flags = set(request.activation_flags or ())
    async with database.read() as session:
        found = await repository.look_up(session, wanted)
    return LookupActivationsResponse(
        activations=[item_of(row, name) for row, name in found if flags.issubset(row.flags or ())]
    )


async def get_history(database: Database, request: ActivationHistoryRequest) -> ActivationHistoryResponse:
    """``activation/history``: what happened to an activation, newest first; empty for an unknown one."""
    async with database.read() as session:
        rows = await repository.history(
            session,
            request.activation_id,
            request.timestamp_from,
            request.timestamp_to,
            request.application_ids,
        )
    return ActivationHistoryResponse(
        items=[
            ActivationHistoryItem(
                id=row.id,
                activation_id=row.activation_id,
                activation_status=row.activation_status,
                event_reason=row.event_reason,
                external_user_id=row.external_user_id,
                activation_name=row.activation_name,
                timestamp_created=row.timestamp_created,
                version=row.activation_version,
            )
            for row in rows
        ]
    )


def item_of(activation: Activation, application_id: str) -> ActivationItem:
    """One activation in a listing."""
    return ActivationItem(
        activation_id=activation.activation_id,
        activation_status=activation.activation_status,
        blocked_reason=activation.blocked_reason,
        activation_name=activation.activation_name,
        external_id=activation.external_id,
        extras=activation.extras,
        protocol=ActivationProtocol(activation.protocol),
        platform=activation.platform,
        device_info=activation.device_info,
        activation_flags=list(activation.flags or ()),
        timestamp_created=activation.timestamp_created,
        timestamp_last_used=activation.timestamp_last_used,
        timestamp_last_change=activation.timestamp_last_change,
        user_id=activation.user_id,
        application_id=application_id,
        failed_attempts=activation.failed_attempts,
        max_failed_attempts=activation.max_failed_attempts,
        device_public_key_base64=activation.device_public_key_base64,
        version=activation.version or 0,
        additional_data=activation.additional_data,
        parent_activation_id=activation.parent_activation_id,
        transfer_type=activation.transfer_type,
    )


async def _page(settings: CoreSettings, session: AsyncSession, request: ListActivationsRequest) -> _Found:
    page = repository.Page(
        number=settings.default_page_number if request.page_number is None else request.page_number,
        size=settings.default_page_size if request.page_size is None else request.page_size,
    )
    scope = request.application_ids
    if request.application_id is not None:
        scope = [request.application_id] if scope is None or request.application_id in scope else []
    return await repository.page_of_user(
        session, request.user_id, scope, request.activation_statuses or (), page
    )
