"""Flags of activations (spec/core-api.md §7.15)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core import events
from powerauth_core.activations import repository
from powerauth_core.activations.history import application_id_of
from powerauth_core.activations.initialisation import check_flags, flags_fit
from powerauth_core.activations.models import Activation
from powerauth_core.activations.repository import ApplicationIds
from powerauth_core.applications.cache import ApplicationCache
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.kernel.errors import ActivationNotFound
from servicekit.database import Database
from servicekit.logs import get_logger

log = get_logger(__name__)

Change = Callable[[Sequence[str], Sequence[str]], list[str]]
"""From the flags there are and those of the request to the flags there will be."""


async def list_flags(database: Database, *, activation_id: str, scope: ApplicationIds) -> Sequence[str]:
    """``activation/flags/list``.

    :raises ActivationNotFound: unknown
    """
    async with database.read() as session:
        activation = await repository.find(session, activation_id, scope)
    if activation is None:
        raise ActivationNotFound()
    return activation.flags or ()


def added(present: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """``activation/flags/create``: add what is missing."""
    if set(wanted) <= set(present):
        return list(present)
    return sorted({*present, *wanted})


def replaced(_: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """``activation/flags/update``: replace all."""
    return sorted(wanted)


def without(present: Sequence[str], unwanted: Sequence[str]) -> list[str]:
    """``activation/flags/remove``: take away, keeping the order."""
    return [flag for flag in present if flag not in unwanted]


async def change_flags(
    database: Database,
    application_cache: ApplicationCache,
    change: Change,
    *,
    activation_id: str,
    flags: Sequence[str],
    scope: ApplicationIds = None,
) -> Sequence[str]:
    """Change the flags of an activation in any state; no history, no callback.

    :param change: `added`, `replaced` or `without`
    :return: the flags after the call
    :raises ActivationNotFound: unknown
    :raises InvalidRequest: the flags do not fit their column
    """
    async with database.transaction() as session:
        activation = await repository.lock(session, activation_id, scope)
        if activation is None:
            raise ActivationNotFound()
        present = list(activation.flags or ())
        wanted = change(present, flags)
        if wanted != present:
            check_flags(wanted, "activationFlags")
            activation.flags = wanted
            await _tell(application_cache, session, activation)
    return wanted


async def add_to_locked(
    application_cache: ApplicationCache, session: AsyncSession, activation: Activation, flag: str
) -> None:
    """Give a locked activation a flag, if it has room for one more."""
    present = list(activation.flags or ())
    wanted = added(present, [flag])
    if wanted == present:
        return
    if not flags_fit(wanted):
        log.warning("activation has no room for a flag", activation=activation.activation_id, flag=flag)
        return
    activation.flags = wanted
    await _tell(application_cache, session, activation)


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
