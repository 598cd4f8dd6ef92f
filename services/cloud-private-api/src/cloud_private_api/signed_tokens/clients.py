"""Use cases of OAuth clients (spec/device-trust.md §2.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloud_private_api.access.rules import Caller
from cloud_private_api.audit_log.service import record_change
from cloud_private_api.core_errors import Area, in_area
from cloud_private_api.errors import NotFound
from cloud_private_api.parameters import is_storable
from cloud_private_api.signed_tokens.ports import Ports
from powerauth_contracts.cloud.signed_tokens import OidcClient, OidcClients
from powerauth_contracts.rest import jwt as contract


@in_area(Area.ADMIN)
async def list_all(ports: Ports, app_id: str) -> OidcClients:
    """The clients of an application."""
    _check(app_id)
    found = await ports.core.ask(contract.CLIENTS_LIST, application_id=app_id)
    return OidcClients(clients=[_shown(client) for client in found.clients])


@in_area(Area.ADMIN)
async def detail(ports: Ports, app_id: str, client_id: str) -> OidcClient:
    """One client."""
    _check(app_id, client_id)
    return _shown(await ports.core.ask(contract.CLIENTS_DETAIL, application_id=app_id, client_id=client_id))


@in_area(Area.ADMIN)
async def create(ports: Ports, caller: Caller, app_id: str, members: Mapping[str, Any]) -> OidcClient:
    """Make a client; its secret is told here and never again."""
    _check(app_id)
    made = await ports.core.ask(contract.CLIENTS_CREATE, application_id=app_id, **members)
    await _record(ports, caller, "OIDC client created", app_id, made)
    return _shown(made, made.client_secret)


@in_area(Area.ADMIN)
async def update(
    ports: Ports, caller: Caller, app_id: str, client_id: str, members: Mapping[str, Any]
) -> OidcClient:
    """Replace what a client is allowed."""
    _check(app_id, client_id)
    named = {"application_id": app_id, "client_id": client_id}
    changed = await ports.core.ask(contract.CLIENTS_UPDATE, **named, **members)
    await _record(ports, caller, "OIDC client changed", app_id, changed)
    return _shown(changed)


@in_area(Area.ADMIN)
async def renew_secret(ports: Ports, caller: Caller, app_id: str, client_id: str) -> OidcClient:
    """Give a client another secret, told here and never again."""
    _check(app_id, client_id)
    made = await ports.core.ask(contract.CLIENTS_SECRET, application_id=app_id, client_id=client_id)
    await _record(ports, caller, "OIDC client secret renewed", app_id, made)
    return _shown(made, made.client_secret)


@in_area(Area.ADMIN)
async def remove(ports: Ports, caller: Caller, app_id: str, client_id: str) -> None:
    """Remove a client, and take back what was issued to it."""
    _check(app_id, client_id)
    await ports.core.tell(contract.CLIENTS_REMOVE, application_id=app_id, client_id=client_id)
    params = {"application": app_id, "clientId": client_id}
    await record_change(ports.database, caller.username, "OIDC client removed", params)


def _check(*names: str) -> None:
    if not all(map(is_storable, names)):
        raise NotFound


async def _record(
    ports: Ports, caller: Caller, message: str, app_id: str, client: contract.ClientDetail
) -> None:
    shown = _shown(client).model_dump(mode="json", exclude={"client_secret", "timestamp_created"})
    await record_change(ports.database, caller.username, message, {"application": app_id, "new": shown})


def _shown(client: contract.ClientDetail, secret: str | None = None) -> OidcClient:
    names = OidcClient.model_fields.keys() - {"client_secret"}
    return OidcClient(**{name: getattr(client, name) for name in names}, client_secret=secret)
