"""Use cases of callbacks (spec/cloud-api.md §11.5). An id counts only inside its application."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from cloud_private_api.access.rules import Caller
from cloud_private_api.applications.service import existing
from cloud_private_api.audit_log.service import record_change
from cloud_private_api.callbacks import rules
from cloud_private_api.callbacks.ports import Ports
from cloud_private_api.callbacks.rules import WantedCallback
from cloud_private_api.core_client import CoreClient
from cloud_private_api.core_errors import Area, in_area
from cloud_private_api.errors import NotFound
from cloud_private_api.parameters import is_core_id, is_storable
from powerauth_contracts.cloud.callbacks import Callback, Callbacks
from powerauth_contracts.rest import callbacks as contract
from servicekit.database import Database


@in_area(Area.ADMIN)
async def list_all(ports: Ports, app_id: str) -> Callbacks:
    """The callbacks of an application by name."""
    if not is_storable(app_id):
        raise NotFound
    found = await _of(ports.core, app_id)
    if not found:
        await existing(ports, app_id)
    return Callbacks(callbacks=[rules.shown(item) for item in found])


@in_area(Area.ADMIN)
async def detail(core: CoreClient, app_id: str, callback_id: str) -> Callback:
    """One callback."""
    return rules.shown(await _find(core, app_id, callback_id))


@in_area(Area.ADMIN)
async def create(
    database: Database, core: CoreClient, caller: Caller, app_id: str, wanted: WantedCallback
) -> Callback:
    """Register a callback."""
    if not is_storable(app_id):
        raise NotFound
    rules.check_locations(caller, wanted.authentication)
    made = rules.shown(await core.ask(contract.CREATE, **_inside(app_id), **rules.core_members(wanted)))
    await _audit(database, caller, "Callback created", app_id, new=made)
    return made


@in_area(Area.ADMIN)
async def update(
    database: Database,
    core: CoreClient,
    caller: Caller,
    app_id: str,
    callback_id: str,
    wanted: WantedCallback,
) -> Callback:
    """Replace a callback; secrets that are missing stay as they are, if their address does.

    :raises InvalidRequest: a secret would go to another address
    """
    old = await _find(core, app_id, callback_id)
    rules.check_locations(caller, wanted.authentication)
    if wanted.authentication is None:
        wanted = replace(wanted, authentication=rules.stored_authentication(old))
    members = rules.core_members(wanted)
    rules.check_kept_secrets(old, wanted)
    after = rules.shown(await core.ask(contract.UPDATE, **_inside(app_id), id=callback_id, **members))
    await _audit(database, caller, "Callback changed", app_id, old=rules.shown(old), new=after)
    return after


@in_area(Area.ADMIN)
async def remove(database: Database, core: CoreClient, caller: Caller, app_id: str, callback_id: str) -> None:
    """Switch a callback off for good."""
    old = await _find(core, app_id, callback_id)
    if not (await core.ask(contract.REMOVE, id=callback_id, application_ids=[app_id])).removed:
        raise NotFound
    await _audit(database, caller, "Callback removed", app_id, old=rules.shown(old))


async def _of(core: CoreClient, app_id: str) -> list[contract.CallbackUrlDetail]:
    """The callbacks of an application by name; the core has none for one that it does not know."""
    return (await core.ask(contract.LIST, **_inside(app_id))).callback_url_list


def _inside(app_id: str) -> Mapping[str, object]:
    return {"application_id": app_id, "application_ids": [app_id]}


async def _find(core: CoreClient, app_id: str, callback_id: str) -> contract.CallbackUrlDetail:
    found = None
    if is_storable(app_id) and is_core_id(callback_id):
        found = rules.by_id(await _of(core, app_id), callback_id)
    if found is None:
        raise NotFound
    return found


async def _audit(
    database: Database, caller: Caller, message: str, app_id: str, **callbacks: Callback
) -> None:
    shown = {
        name: callback.model_dump(mode="json", exclude_none=True) for name, callback in callbacks.items()
    }
    await record_change(database, caller.username, message, {"application": app_id, **shown})
