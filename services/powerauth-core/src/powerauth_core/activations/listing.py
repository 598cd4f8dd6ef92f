"""Looking at activations: list, lookup, history (spec/core-api.md §7.7, §7.8, §7.14)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_core.activations import reads, repository
from powerauth_core.activations.expiry import expire_ids, overdue
from powerauth_core.activations.models import ActivationHistory
from powerauth_core.activations.ports import ReadingPorts
from powerauth_core.activations.reads import ApplicationIds
from powerauth_core.activations.stored import AnyActivation
from powerauth_core.kernel.paging import Page
from servicekit.replicas import Reader

Found = Sequence[tuple[AnyActivation, str]]
"""Activations, each with the public id of its application."""


async def list_activations(
    ports: ReadingPorts,
    *,
    user_id: str,
    application_id: str | None,
    protocols: Iterable[ActivationProtocol],
    statuses: Sequence[ActivationStatus],
    page: Page,
    scope: ApplicationIds,
) -> Found:
    """``activation/list``: one page of a user's activations; those whose time is up are removed first.

    A page is cut before expiry and the protocol filter, so it may be short.

    :param application_id: of this application only, None = of all
    :param statuses: empty = in any
    """
    if application_id is not None:
        scope = [application_id] if scope is None or application_id in scope else []
    found = await reads.page_of_user(ports.database.fetch, ports.row_macs, user_id, scope, statuses, page)
    late = [activation.activation_id for activation, _ in found if overdue(activation)]
    if late:
        async with ports.database.transaction() as session:
            await expire_ids(ports.changes, session, late)
        # Those of the page, not the page: what expired may not match the requested states any more.
        again = [reads.find(ports.database.fetch, ports.row_macs, each) for each in late]
        fresh = dict(zip(late, await asyncio.gather(*again), strict=True))
        found = [(fresh.get(row.activation_id) or row, name) for row, name in found]
    wanted = {protocol.value for protocol in protocols}
    return [(row, name) for row, name in found if row.protocol in wanted]


async def look_up_activations(
    database: Reader,
    *,
    user_ids: Sequence[str],
    last_used_before: datetime | None,
    last_used_after: datetime | None,
    status: ActivationStatus | None,
    flags: Iterable[str],
    scope: ApplicationIds,
) -> Found:
    """``activation/lookup``: activations of several users that match and have all requested flags."""
    async with database.read() as session:
        found = await repository.look_up(
            session,
            user_ids,
            scope,
            last_used_before=last_used_before,
            last_used_after=last_used_after,
            status=status,
        )
    wanted = set(flags)
    return [(row, name) for row, name in found if wanted.issubset(row.flags or ())]


async def get_history(
    database: Reader,
    *,
    activation_id: str,
    since: datetime | None,
    until: datetime | None,
    scope: ApplicationIds,
) -> list[ActivationHistory]:
    """``activation/history``: what happened to an activation, newest first; empty for an unknown one."""
    async with database.read() as session:
        return await repository.history(session, activation_id, since, until, scope)
