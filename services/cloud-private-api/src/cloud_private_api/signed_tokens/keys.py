"""Use cases of signing keys: of an application, or without one of all others (spec/device-trust.md §2.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloud_private_api.access.rules import Caller
from cloud_private_api.audit_log.service import record_change
from cloud_private_api.core_errors import Area, in_area
from cloud_private_api.errors import NotFound
from cloud_private_api.parameters import is_storable
from cloud_private_api.signed_tokens.ports import Ports
from powerauth_contracts.cloud.signed_tokens import SigningKey, SigningKeys
from powerauth_contracts.enums import SigningKeyStatus
from powerauth_contracts.rest import jwt as contract


@in_area(Area.ADMIN)
async def list_all(ports: Ports, app_id: str | None) -> SigningKeys:
    """The keys, the oldest first."""
    found = await ports.core.ask(contract.KEYS_LIST, **_owner(app_id))
    return SigningKeys(keys=[_shown(key) for key in found.keys])


@in_area(Area.ADMIN)
async def create(ports: Ports, caller: Caller, app_id: str | None, name: str) -> SigningKey:
    """Make a key that signs once the present one is due."""
    made = await ports.core.ask(contract.KEYS_CREATE, **_owner(app_id), name=name)
    return await _recorded(ports, caller, "Signing key created", app_id, made)


@in_area(Area.ADMIN)
async def upload(
    ports: Ports, caller: Caller, app_id: str | None, name: str, jwk: Mapping[str, Any]
) -> SigningKey:
    """Take a key that was made elsewhere."""
    made = await ports.core.ask(contract.KEYS_UPLOAD, **_owner(app_id), name=name, jwk=jwk)
    return await _recorded(ports, caller, "Signing key uploaded", app_id, made)


@in_area(Area.ADMIN)
async def update(
    ports: Ports,
    caller: Caller,
    app_id: str | None,
    key_id: str,
    *,
    status: SigningKeyStatus | None,
    name: str | None,
) -> SigningKey:
    """Give a key another state or name."""
    members = _of(app_id, key_id)
    changed = await ports.core.ask(contract.KEYS_UPDATE, **members, status=status, name=name)
    return await _recorded(ports, caller, "Signing key changed", app_id, changed)


@in_area(Area.ADMIN)
async def remove(ports: Ports, caller: Caller, app_id: str | None, key_id: str) -> None:
    """Delete a disabled key."""
    await ports.core.tell(contract.KEYS_REMOVE, **_of(app_id, key_id))
    params = {"application": app_id, "id": key_id}
    await record_change(ports.database, caller.username, "Signing key removed", params)


def _owner(app_id: str | None) -> dict[str, Any]:
    if app_id is not None and not is_storable(app_id):
        raise NotFound
    return {"application_id": app_id}


def _of(app_id: str | None, key_id: str) -> dict[str, Any]:
    if not is_storable(key_id):
        raise NotFound
    return {**_owner(app_id), "id": key_id}


async def _recorded(
    ports: Ports, caller: Caller, message: str, app_id: str | None, key: contract.SigningKeyDetail
) -> SigningKey:
    new = {"id": key.id, "kid": key.kid, "name": key.name, "status": key.status, "source": key.source}
    await record_change(ports.database, caller.username, message, {"application": app_id, "new": new})
    return _shown(key)


def _shown(key: contract.SigningKeyDetail) -> SigningKey:
    return SigningKey(**{name: getattr(key, name) for name in SigningKey.model_fields})
