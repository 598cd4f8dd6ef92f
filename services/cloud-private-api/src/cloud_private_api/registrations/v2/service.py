"""Use cases of ``/v2/registrations`` (spec/cloud-api.md §3).

The application of a registration is checked by the core, in the call itself: every call carries the caller's
applications (D21).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from cloud_private_api.access.rules import Caller, narrowed, one_application
from cloud_private_api.core_client import CoreClient
from cloud_private_api.core_errors import Area, CoreCode, in_area
from cloud_private_api.errors import RegistrationNotAllowed, RegistrationNotFound, RegistrationRefused
from cloud_private_api.parameters import is_core_id
from cloud_private_api.periods import Period
from cloud_private_api.registrations import activations, rules
from cloud_private_api.registrations.ports import Ports
from cloud_private_api.registrations.rules import NewRegistration
from powerauth_contracts.calls import Call
from powerauth_contracts.cloud.registrations import (
    CommitPhase,
    Flags,
    History,
    HistoryItem,
    Registration,
    RegistrationCreated,
    Registrations,
)
from powerauth_contracts.rest import activation_administration as administration
from powerauth_contracts.rest import activations as contract
from powerauth_contracts.texts import CoreRefused
from servicekit import clock


@in_area(Area.REGISTRATIONS)
async def create(
    core: CoreClient, caller: Caller, wanted: NewRegistration, *, incomplete_status_check: bool
) -> RegistrationCreated:
    """Start a registration; existing ones stay."""
    app_id = one_application(caller, wanted.app_id, refusal=RegistrationRefused)
    otp, commit_phase = rules.otp_and_phase(wanted)
    rules.checked_expiry(wanted.expires, clock.now(), "timestampRegistrationExpire")
    if incomplete_status_check:
        await refuse_second_in_progress(core, wanted.user_id, app_id)
    return rules.created(await start(core, app_id, wanted, otp, commit_phase), with_id=True)


async def start(
    core: CoreClient, app_id: str, wanted: NewRegistration, otp: str | None, phase: CommitPhase | None
) -> contract.InitActivationResponse:
    """Have the core start a registration whose OTP and commit phase are checked.

    :raises RegistrationRefused: the core allows none
    """
    try:
        return await core.ask(
            contract.INIT,
            user_id=wanted.user_id,
            application_id=app_id,
            activation_otp=otp,
            commit_phase=phase,
            flags=wanted.flags,
            timestamp_activation_expire=wanted.expires,
        )
    except CoreRefused as refusal:
        if refusal.code == CoreCode.ACTIVATION_REFUSED:
            raise RegistrationRefused from None
        raise


async def refuse_second_in_progress(core: CoreClient, user_id: str, app_id: str) -> None:
    """Look for a registration in progress; reading each one lets stale ones expire first.

    :raises RegistrationNotAllowed: there is one
    """
    listed = await activations.of_user(core, user_id=user_id, scope=(app_id,), statuses=rules.IN_PROGRESS)
    for item in rules.living(listed):
        detail = await activations.find(core, item.activation_id, (app_id,))
        if detail is not None and detail.activation_status in rules.IN_PROGRESS:
            raise RegistrationNotAllowed


@in_area(Area.REGISTRATIONS)
async def list_of_user(
    core: CoreClient,
    caller: Caller,
    *,
    user_id: str,
    removed: bool,
    app_id: str | None,
    page: int | None,
    size: int | None,
) -> Registrations:
    """A user's registrations in the caller's applications, newest first."""
    scope = narrowed(caller, app_id, refusal=RegistrationRefused)
    if not scope:
        return Registrations(registrations=[])
    listed = await activations.of_user(
        core, user_id=user_id, scope=scope, statuses=None if removed else rules.LIVING
    )
    shown = [
        item
        for item in rules.newest_first(listed)
        if rules.is_powerauth(item) and (removed or item.activation_status != "REMOVED")
    ]
    return Registrations(
        registrations=[rules.registration(item) for item in rules.page_of(shown, page, size)]
    )


async def status_in_scope(
    core: CoreClient, scope: Sequence[str], registration_id: str
) -> contract.ActivationStatusResponse:
    """A registration of one of these applications.

    :raises RegistrationNotFound: unknown, or of another application
    """
    if not scope or not is_core_id(registration_id):
        raise RegistrationNotFound
    found = await activations.find(core, registration_id, scope)
    if found is None:
        raise RegistrationNotFound
    return found


def _checked(caller: Caller, registration_id: str) -> str:
    """The id, if the core can be asked about it: an empty list of applications would mean "all" to it."""
    if not caller.applications or not is_core_id(registration_id):
        raise RegistrationNotFound
    return registration_id


@in_area(Area.REGISTRATIONS)
async def detail(ports: Ports, caller: Caller, registration_id: str) -> Registration:
    """One registration; a stale one in progress becomes REMOVED by reading it."""
    return rules.detail(await status_in_scope(ports.core, caller.applications, registration_id))


@in_area(Area.REGISTRATIONS)
async def commit(
    core: CoreClient, caller: Caller, registration_id: str, *, otp: str | None, external_user_id: str | None
) -> None:
    """PENDING_COMMIT becomes ACTIVE."""
    await core.tell(
        contract.COMMIT,
        activation_id=_checked(caller, registration_id),
        application_ids=caller.applications,
        activation_otp=otp,
        external_user_id=external_user_id,
    )


@in_area(Area.REGISTRATIONS)
async def block(
    core: CoreClient,
    caller: Caller,
    registration_id: str,
    *,
    reason: str | None,
    external_user_id: str | None,
) -> None:
    """ACTIVE becomes BLOCKED."""
    await core.tell(
        administration.BLOCK,
        activation_id=_checked(caller, registration_id),
        application_ids=caller.applications,
        reason=reason,
        external_user_id=external_user_id,
    )


@in_area(Area.REGISTRATIONS)
async def unblock(
    core: CoreClient, caller: Caller, registration_id: str, *, external_user_id: str | None
) -> None:
    """BLOCKED becomes ACTIVE."""
    await core.tell(
        administration.UNBLOCK,
        activation_id=_checked(caller, registration_id),
        application_ids=caller.applications,
        external_user_id=external_user_id,
    )


@in_area(Area.REGISTRATIONS)
async def remove(
    core: CoreClient,
    caller: Caller,
    registration_id: str,
    *,
    external_user_id: str | None,
    revoke_recovery_codes: bool,
) -> None:
    """REMOVED, from whatever state; a second removal succeeds again."""
    await core.tell(
        administration.REMOVE,
        activation_id=_checked(caller, registration_id),
        application_ids=caller.applications,
        external_user_id=external_user_id,
        revoke_recovery_codes=revoke_recovery_codes,
    )


@in_area(Area.REGISTRATIONS)
async def update_otp(
    core: CoreClient, caller: Caller, registration_id: str, otp: str, *, external_user_id: str | None
) -> None:
    """Set the OTP that the commit will need."""
    rules.checked_otp(otp)
    await core.tell(
        contract.OTP_UPDATE,
        activation_id=_checked(caller, registration_id),
        application_ids=caller.applications,
        activation_otp=otp,
        external_user_id=external_user_id,
    )


@in_area(Area.REGISTRATIONS)
async def update_name(
    core: CoreClient, caller: Caller, registration_id: str, name: str, *, external_user_id: str | None
) -> None:
    """Rename the registration."""
    await core.tell(
        administration.NAME_UPDATE,
        activation_id=_checked(caller, registration_id),
        application_ids=caller.applications,
        activation_name=name,
        external_user_id=external_user_id,
    )


@in_area(Area.REGISTRATIONS)
async def flags(core: CoreClient, caller: Caller, registration_id: str) -> Flags:
    """The flags of a registration."""
    return await _flags(core, caller, administration.FLAGS_LIST, registration_id)


@in_area(Area.REGISTRATIONS)
async def add_flags(core: CoreClient, caller: Caller, registration_id: str, new: Sequence[str]) -> Flags:
    """Add the flags that are missing."""
    return await _flags(core, caller, administration.FLAGS_CREATE, registration_id, activation_flags=new)


@in_area(Area.REGISTRATIONS)
async def replace_flags(core: CoreClient, caller: Caller, registration_id: str, new: Sequence[str]) -> Flags:
    """Replace all flags. The core's replace refuses an empty list: then those present are removed."""
    unique = list(dict.fromkeys(new))
    if unique:
        return await _flags(
            core, caller, administration.FLAGS_UPDATE, registration_id, activation_flags=unique
        )
    present = await flags(core, caller, registration_id)
    if not present.flags:
        return present
    return await remove_flags(core, caller, registration_id, present.flags)


@in_area(Area.REGISTRATIONS)
async def remove_flags(core: CoreClient, caller: Caller, registration_id: str, old: Sequence[str]) -> Flags:
    """Remove the named flags; unknown ones are ignored."""
    return await _flags(core, caller, administration.FLAGS_REMOVE, registration_id, activation_flags=old)


async def _flags(
    core: CoreClient,
    caller: Caller,
    call: Call[Any, administration.FlagsResponse],
    registration_id: str,
    **members: object,
) -> Flags:
    activation_id = _checked(caller, registration_id)
    after = await core.ask(call, activation_id=activation_id, application_ids=caller.applications, **members)
    return Flags(registration_id=activation_id, flags=after.activation_flags)


@in_area(Area.REGISTRATIONS)
async def history(core: CoreClient, caller: Caller, registration_id: str, period: Period) -> History:
    """What happened to a registration, newest first; the core has no "not found" for this call."""
    found = await status_in_scope(core, caller.applications, registration_id)
    told = await core.ask(
        administration.HISTORY,
        activation_id=found.activation_id,
        application_ids=caller.applications,
        timestamp_from=period.start,
        timestamp_to=period.end,
    )
    return History(
        items=[
            HistoryItem(
                registration_status=item.activation_status,
                event_reason=item.event_reason,
                external_user_id=item.external_user_id,
                name=item.activation_name,
                version=item.version,
                timestamp_created=item.timestamp_created,
            )
            for item in told.items
        ]
    )


@in_area(Area.REGISTRATIONS)
async def lookup(
    core: CoreClient,
    caller: Caller,
    *,
    user_ids: Sequence[str],
    app_ids: Sequence[str] | None,
    status: str | None,
    flags: Sequence[str] | None,
    last_used_before: datetime | None,
    last_used_after: datetime | None,
) -> Registrations:
    """Registrations of several users by further marks. Applications of others match nothing."""
    named = set(caller.applications if app_ids is None else app_ids)
    scope = [app_id for app_id in caller.applications if app_id in named]
    if not scope:
        return Registrations(registrations=[])
    found = await activations.look_up(
        core,
        scope,
        user_ids=user_ids,
        status=status,
        flags=flags,
        last_used_before=last_used_before,
        last_used_after=last_used_after,
    )
    return Registrations(
        registrations=[rules.registration(item, with_user=True) for item in rules.newest_first(found)]
    )
