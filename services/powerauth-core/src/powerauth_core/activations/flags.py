"""Flags of activations (spec/core-api.md §7.15)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.rest.activation_administration import (
    ChangeFlagsRequest,
    FlagsResponse,
    ListFlagsRequest,
)
from powerauth_core import events
from powerauth_core.activations import repository
from powerauth_core.activations.history import application_id_of
from powerauth_core.activations.initialisation import check_flags
from powerauth_core.activations.models import Activation
from powerauth_core.applications.cache import ApplicationCache
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.kernel.errors import ActivationNotFound
from servicekit.database import Database

Change = Callable[[Sequence[str], Sequence[str]], list[str]]
"""From the flags there are and those of the request to the flags there will be."""


async def list_flags(database: Database, request: ListFlagsRequest) -> FlagsResponse:
    """``activation/flags/list``.

    :raises ActivationNotFound: unknown
    """
    async with database.read() as session:
        activation = await repository.find(session, request.activation_id, request.application_ids)
    if activation is None:
        raise ActivationNotFound()
    return FlagsResponse(
        activation_id=activation.activation_id, activation_flags=list(activation.flags or ())
    )


async def add_flags(
    database: Database, application_cache: ApplicationCache, request: ChangeFlagsRequest
) -> FlagsResponse:
    """``activation/flags/create``: add what is missing; raises as `_change`."""
    return await _change(database, application_cache, request, _added)


async def replace_flags(
    database: Database, application_cache: ApplicationCache, request: ChangeFlagsRequest
) -> FlagsResponse:
    """``activation/flags/update``: replace all; raises as `_change`."""
    return await _change(database, application_cache, request, lambda _, wanted: sorted(wanted))


async def remove_flags(
    database: Database, application_cache: ApplicationCache, request: ChangeFlagsRequest
) -> FlagsResponse:
    """``activation/flags/remove``: take away, keeping the order; raises as `_change`."""
    return await _change(
        database,
        application_cache,
        request,
        lambda present, unwanted: [flag for flag in present if flag not in unwanted],
    )


def _added(present: Sequence[str], wanted: Sequence[str]) -> list[str]:
    if set(wanted) <= set(present):
        return list(present)
    return sorted({*present, *wanted})


async def _change(
    database: Database, application_cache: ApplicationCache, request: ChangeFlagsRequest, change: Change
) -> FlagsResponse:
    """Change the flags of an activation in any state; no history, no callback.

    :raises ActivationNotFound: unknown
    :raises InvalidRequest: the flags do not fit their column
    """
    async with database.transaction() as session:
        activation = await repository.lock(session, request.activation_id, request.application_ids)
        if activation is None:
            raise ActivationNotFound()
        present = list(activation.flags or ())
        flags = change(present, request.activation_flags)
        if flags != present:
            check_flags(flags, "activationFlags")
            activation.flags = flags
            await _tell(application_cache, session, activation)
    return FlagsResponse(activation_id=activation.activation_id, activation_flags=flags)


async def _tell(application_cache: ApplicationCache, session: AsyncSession, activation: Activation) -> None:
    application_id = await application_id_of(application_cache, session, activation)
    await audit.record(
        session,
        AuditType.ACTIVATION,
        "Activation flags changed",
        {
            "activationId": activation.activation_id,
            "userId": activation.user_id,
            "applicationId": application_id,
            "activationFlags": list(activation.flags or ()),
        },
        activation.user_id,
    )
    await events.activation_flags_changed(
        session, activation.activation_id, application_id, activation.user_id, activation.flags or ()
    )
