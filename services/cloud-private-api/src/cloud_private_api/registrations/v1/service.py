"""The single-device view: one "current" registration per user and application (spec/cloud-api.md §4)."""

from __future__ import annotations

from collections.abc import Sequence

from cloud_private_api.access.rules import Caller, one_application
from cloud_private_api.core_client import CoreClient
from cloud_private_api.core_errors import Area, in_area
from cloud_private_api.errors import RegistrationNotFound, RegistrationRefused
from cloud_private_api.registrations import activations, repository, rules
from cloud_private_api.registrations.ports import Ports
from cloud_private_api.registrations.rules import NewRegistration
from cloud_private_api.registrations.v2.service import refuse_second_in_progress, start
from powerauth_contracts.cloud.registrations import CurrentRegistration, RegistrationCreated
from powerauth_contracts.rest import activation_administration as administration
from powerauth_contracts.rest import activations as contract
from servicekit.bus import Event
from servicekit.database import Database
from servicekit.inbox import handle_once
from servicekit.logs import get_logger

CONSUMER = "v1-replacement"

_log = get_logger(__name__)


@in_area(Area.REGISTRATIONS)
async def create(
    database: Database,
    core: CoreClient,
    caller: Caller,
    wanted: NewRegistration,
    *,
    incomplete_status_check: bool,
) -> RegistrationCreated:
    """Replace what is in progress by a new registration. What is in use stays until the new one is ACTIVE."""
    app_id = one_application(caller, wanted.app_id, refusal=RegistrationRefused)
    otp, commit_phase = rules.otp_and_phase(wanted)
    if incomplete_status_check:
        await refuse_second_in_progress(core, wanted.user_id, app_id)
    await _finish_earlier(database, core, wanted.user_id, app_id)
    made = await start(core, app_id, wanted, otp, commit_phase)
    async with database.transaction() as session:
        repository.add(session, activation_id=made.activation_id, user_id=wanted.user_id, app_id=app_id)
    return rules.created(made, with_id=False)


async def _finish_earlier(database: Database, core: CoreClient, user_id: str, app_id: str) -> None:
    """Do replacements that an event has not brought yet, then remove what is in progress."""
    async with database.read() as session:
        earlier = await repository.ids_of_user(session, user_id=user_id, app_id=app_id)
    living = await _living(core, user_id, app_id)
    for item in living:
        if item.activation_id in earlier and item.activation_status == "ACTIVE":
            await _remove_all(core, app_id, [other for other in living if other is not item])
            living = [item]
            break
    await _remove_all(core, app_id, [item for item in living if item.activation_status in rules.IN_PROGRESS])
    async with database.transaction() as session:
        await repository.remove(session, earlier)


@in_area(Area.REGISTRATIONS)
async def current(
    core: CoreClient, caller: Caller, *, user_id: str, app_id: str | None
) -> CurrentRegistration:
    """The state of the current registration."""
    if not caller.applications and app_id is None:
        return rules.current(None)
    application = one_application(caller, app_id, refusal=RegistrationRefused, parameter=True)
    return rules.current(await find_current(core, user_id, application))


@in_area(Area.REGISTRATIONS)
async def commit(
    database: Database,
    core: CoreClient,
    caller: Caller,
    *,
    user_id: str,
    app_id: str | None,
    otp: str | None,
    external_user_id: str | None,
) -> None:
    """Make the current registration ACTIVE, then remove the user's others."""
    application = _application(caller, app_id)
    item = await _newest(core, user_id, application)
    await core.tell(
        contract.COMMIT,
        activation_id=item.activation_id,
        application_ids=[application],
        activation_otp=otp,
        external_user_id=external_user_id,
    )
    async with database.read() as session:
        replaces = await repository.find(session, item.activation_id) is not None
    if replaces:
        await _replace_others(core, user_id, application, item.activation_id)
        async with database.transaction() as session:
            await repository.remove(session, [item.activation_id])


@in_area(Area.REGISTRATIONS)
async def block(
    core: CoreClient,
    caller: Caller,
    *,
    user_id: str,
    app_id: str | None,
    reason: str | None,
    external_user_id: str | None,
) -> None:
    """The current registration becomes BLOCKED."""
    application = _application(caller, app_id)
    item = await _newest(core, user_id, application)
    await core.tell(
        administration.BLOCK,
        activation_id=item.activation_id,
        application_ids=[application],
        reason=reason,
        external_user_id=external_user_id,
    )


@in_area(Area.REGISTRATIONS)
async def unblock(
    core: CoreClient, caller: Caller, *, user_id: str, app_id: str | None, external_user_id: str | None
) -> None:
    """The current registration becomes ACTIVE again."""
    application = _application(caller, app_id)
    item = await _newest(core, user_id, application)
    await core.tell(
        administration.UNBLOCK,
        activation_id=item.activation_id,
        application_ids=[application],
        external_user_id=external_user_id,
    )


@in_area(Area.REGISTRATIONS)
async def remove(
    core: CoreClient, caller: Caller, *, user_id: str, app_id: str | None, external_user_id: str | None
) -> None:
    """Remove the current registration."""
    application = _application(caller, app_id, parameter=True)
    item = await _newest(core, user_id, application)
    await _remove(core, application, item, external_user_id)


async def find_current(
    core: CoreClient, user_id: str, app_id: str
) -> contract.ActivationStatusResponse | None:
    """The newest registration that is not REMOVED. Reading it may show that it has just expired."""
    for item in await _living(core, user_id, app_id):
        detail = await activations.find(core, item.activation_id, (app_id,))
        if detail is not None and detail.activation_status in rules.LIVING:
            return detail
    return None


async def on_status_changed(ports: Ports, event: Event) -> None:
    """A registration of ``POST /registration`` became ACTIVE elsewhere: remove the user's others (§13.4)."""
    activation_id = str(event.data.get("activationId"))
    status = event.data.get("activationStatus")
    if status not in ("ACTIVE", "REMOVED"):
        return
    async with ports.database.read() as session:
        row = await repository.find(session, activation_id)
    if row is None:
        return
    if status == "ACTIVE":
        # Before the transaction: it calls the core, and removing twice does no harm.
        await _replace_others(ports.core, row.user_id, row.app_id, activation_id)
    async with ports.database.transaction() as session:
        if await handle_once(session, event, CONSUMER):
            await repository.remove(session, [activation_id])


def _application(caller: Caller, app_id: str | None, *, parameter: bool = False) -> str:
    return one_application(
        caller, app_id, refusal=RegistrationRefused, empty=RegistrationNotFound, parameter=parameter
    )


async def _living(core: CoreClient, user_id: str, app_id: str) -> list[administration.ActivationItem]:
    listed = await activations.of_user(core, user_id=user_id, scope=(app_id,), statuses=rules.LIVING)
    return rules.living(listed)


async def _newest(core: CoreClient, user_id: str, app_id: str) -> administration.ActivationItem:
    living = await _living(core, user_id, app_id)
    if not living:
        raise RegistrationNotFound
    return living[0]


async def _replace_others(core: CoreClient, user_id: str, app_id: str, activation_id: str) -> None:
    living = await _living(core, user_id, app_id)
    others = [item for item in living if item.activation_id != activation_id]
    _log.info("registration replaces others", registration=activation_id, count=len(others))
    await _remove_all(core, app_id, others)


async def _remove_all(
    core: CoreClient, app_id: str, activations: Sequence[administration.ActivationItem]
) -> None:
    for item in activations:
        await _remove(core, app_id, item)


async def _remove(
    core: CoreClient, app_id: str, item: administration.ActivationItem, external_user_id: str | None = None
) -> None:
    await core.tell(
        administration.REMOVE,
        activation_id=item.activation_id,
        application_ids=[app_id],
        external_user_id=external_user_id,
        revoke_recovery_codes=True,
    )
