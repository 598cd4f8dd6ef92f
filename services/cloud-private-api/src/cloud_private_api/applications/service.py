"""Use cases of applications, versions and roles (spec/cloud-api.md §11.3)."""

from __future__ import annotations

from collections.abc import Sequence

from cloud_private_api.access.rules import Caller
from cloud_private_api.applications import rules
from cloud_private_api.applications.ports import Ports
from cloud_private_api.audit_log.service import record_change
from cloud_private_api.core_errors import Area, in_area
from cloud_private_api.errors import NotFound, PushUnreachable
from cloud_private_api.parameters import is_storable
from cloud_private_api.parts import WithCore
from cloud_private_api.properties import repository as properties
from cloud_private_api.push_client import PushRefused
from powerauth_contracts.cloud.applications import (
    Application,
    ApplicationItem,
    Applications,
    Version,
    Versions,
)
from powerauth_contracts.push import applications as push
from powerauth_contracts.rest import applications as contract
from servicekit.database import Database
from servicekit.logs import get_logger

_log = get_logger(__name__)


async def existing(ports: WithCore, app_id: str) -> contract.ApplicationDetail:
    """An application that the core knows; otherwise the core's refusal.

    :raises NotFound: the id cannot be one
    """
    if not is_storable(app_id):
        raise NotFound
    return await _detail(ports, app_id)


async def _detail(ports: WithCore, app_id: str) -> contract.ApplicationDetail:
    return await ports.core.ask(contract.DETAIL, application_id=app_id)


async def _shown(database: Database, detail: contract.ApplicationDetail) -> Application:
    async with database.read() as session:
        base_url = await properties.value(session, properties.SERVICE_BASE_URL)
    return rules.shown_application(detail, base_url)


@in_area(Area.ADMIN)
async def create(ports: Ports, caller: Caller, app_id: str, *, roles: Sequence[str] | None) -> Application:
    """Make an application with its first version and keys."""
    await ports.core.tell(contract.CREATE, application_id=app_id)
    await record_change(ports.database, caller.username, "Application created", {"application": app_id})
    await _introduce(ports, app_id)
    if roles:
        await ports.core.ask(contract.ROLES_CREATE, application_id=app_id, application_roles=roles)
    return await _shown(ports.database, await _detail(ports, app_id))


async def _introduce(ports: Ports, app_id: str) -> None:
    """Have push begin with a new application; if it does not, it does with the first credentials (§11.4)."""
    if not ports.push.configured:
        return
    try:
        await ports.push.tell(push.CREATE, {"appId": app_id})
    except (PushRefused, PushUnreachable) as error:
        _log.warning("application not introduced to push", application=app_id, reason=type(error).__name__)
    ports.push_applications.forget()


@in_area(Area.ADMIN)
async def list_all(ports: Ports) -> Applications:
    """All applications."""
    found = (await ports.core.ask(contract.LIST)).applications
    return Applications(
        applications=[ApplicationItem(id=item.application_id, roles=item.application_roles) for item in found]
    )


@in_area(Area.ADMIN)
async def detail(ports: Ports, app_id: str) -> Application:
    """One application."""
    return await _shown(ports.database, await existing(ports, app_id))


@in_area(Area.ADMIN)
async def versions(ports: Ports, app_id: str) -> Versions:
    """The versions of an application."""
    found = await existing(ports, app_id)
    return Versions(versions=[rules.shown_version(version) for version in found.versions])


@in_area(Area.ADMIN)
async def create_version(ports: Ports, caller: Caller, app_id: str, name: str) -> Version:
    """Make a version with a key and secret of its own."""
    await existing(ports, app_id)
    await ports.core.tell(contract.VERSION_CREATE, application_id=app_id, application_version_id=name)
    await record_change(
        ports.database,
        caller.username,
        "Application version created",
        {"application": app_id, "version": name},
    )
    return await _version(ports, app_id, name)


@in_area(Area.ADMIN)
async def support_version(
    ports: Ports, caller: Caller, app_id: str, name: str, *, supported: bool
) -> Version:
    """Let devices use a version, or not any more."""
    await existing(ports, app_id)
    await _version(ports, app_id, name)
    await ports.core.tell(
        contract.VERSION_SUPPORT if supported else contract.VERSION_UNSUPPORT,
        application_id=app_id,
        application_version_id=name,
    )
    await record_change(
        ports.database,
        caller.username,
        "Application version changed",
        {"application": app_id, "version": name, "supported": supported},
    )
    return await _version(ports, app_id, name)


async def _version(ports: Ports, app_id: str, name: str) -> Version:
    found = await _detail(ports, app_id)
    for version in found.versions:
        if version.application_version_id == name:
            return rules.shown_version(version)
    raise NotFound


@in_area(Area.ADMIN)
async def roles(ports: Ports, app_id: str) -> list[str]:
    """The roles of an application."""
    await existing(ports, app_id)
    return (await ports.core.ask(contract.ROLES_LIST, application_id=app_id)).application_roles


@in_area(Area.ADMIN)
async def replace_roles(ports: Ports, caller: Caller, app_id: str, new: Sequence[str]) -> list[str]:
    """Give an application exactly these roles; returns what it has then.

    The core's replace refuses an empty list: then those present are removed.
    """
    old = (await existing(ports, app_id)).application_roles
    after = old
    if new or old:
        answer = await ports.core.ask(
            contract.ROLES_UPDATE if new else contract.ROLES_REMOVE,
            application_id=app_id,
            application_roles=list(dict.fromkeys(new)) or old,
        )
        after = answer.application_roles
    await record_change(
        ports.database,
        caller.username,
        "Application roles changed",
        {"application": app_id, "old": old, "new": after},
    )
    return after
