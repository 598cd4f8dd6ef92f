"""Activations as the core tells of them, read for some applications (D21)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cloud_private_api.core_client import CoreClient
from powerauth_contracts.rest import activation_administration as administration
from powerauth_contracts.rest import activations
from powerauth_contracts.rest.activation_administration import ActivationItem
from powerauth_contracts.rest.activations import ActivationStatusResponse

PAGE_SIZE = 500
MAX_PAGES = 200

Scope = Sequence[str]
"""Application ids that the caller may see; a subject outside them is "not found" to the core."""


async def find(core: CoreClient, activation_id: str, scope: Scope) -> ActivationStatusResponse | None:
    """One activation; None for an id that is unknown or outside ``scope``."""
    found = await core.ask(activations.STATUS, activation_id=activation_id, application_ids=scope)
    return found if found.application_id in scope else None


async def of_user(
    core: CoreClient, *, user_id: str, scope: Scope, statuses: Sequence[str] | None = None
) -> list[ActivationItem]:
    """All activations of one user in some applications.

    No protocol filter is sent: the core applies it after paging, and a short page would look like the last.
    """
    found: list[ActivationItem] = []
    for page in range(MAX_PAGES):
        answer = await core.ask(
            administration.LIST,
            user_id=user_id,
            application_ids=scope,
            activation_statuses=statuses,
            page_number=page,
            page_size=PAGE_SIZE,
        )
        found += (item for item in answer.activations if item.application_id in scope)
        if len(answer.activations) < PAGE_SIZE:
            break
    return found


async def look_up(
    core: CoreClient,
    scope: Scope,
    *,
    user_ids: Sequence[str],
    status: str | None,
    flags: Sequence[str] | None,
    last_used_before: datetime | None,
    last_used_after: datetime | None,
) -> list[ActivationItem]:
    """Activations of several users. ``scope`` must not be empty: the core reads that as "all"."""
    answer = await core.ask(
        administration.LOOKUP,
        user_ids=user_ids,
        application_ids=scope,
        activation_status=status,
        activation_flags=flags or None,
        timestamp_last_used_before=last_used_before,
        timestamp_last_used_after=last_used_after,
    )
    return [item for item in answer.activations if item.application_id in scope]
