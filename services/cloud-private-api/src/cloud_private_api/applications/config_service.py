"""Use cases of application configuration and OIDC providers (spec/cloud-api.md §11.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cloud_private_api.access.rules import Caller
from cloud_private_api.applications import rules
from cloud_private_api.applications.ports import Ports
from cloud_private_api.applications.provider_rules import check_uris
from cloud_private_api.applications.service import existing
from cloud_private_api.audit_log.service import record_change
from cloud_private_api.core_client import CoreClient
from cloud_private_api.core_errors import Area, in_area, translated
from cloud_private_api.errors import NotFound
from powerauth_contracts.cloud.applications import ConfigItem, ConfigItems, OidcProviders
from powerauth_contracts.rest import applications as contract
from powerauth_contracts.texts import CoreRefused
from servicekit.database import Database


@in_area(Area.ADMIN)
async def detail(ports: Ports, app_id: str) -> ConfigItems:
    """The configuration of an application, secrets masked."""
    await existing(ports, app_id)
    found = await _config(ports.core, app_id)
    return ConfigItems(items=[rules.shown_config(item) for item in found if item.key in rules.CONFIG_KEYS])


@in_area(Area.ADMIN)
async def put(ports: Ports, caller: Caller, app_id: str, key: str, values: Sequence[Any]) -> ConfigItem:
    """Insert or replace one key."""
    rules.check_config(key, values)
    await existing(ports, app_id)
    if key == rules.OAUTH2_PROVIDERS:
        stored = await _providers(ports.core, app_id)
        for index, value in enumerate(values):
            check_uris(value, ports.settings.environment, f"values.{index}.")
        values = [rules.with_stored_secret(value, stored) for value in values]
    await _write(ports.database, ports.core, caller, app_id, key, values)
    return ConfigItem(key=key, values=[rules.masked(value) for value in values])


@in_area(Area.ADMIN)
async def remove(ports: Ports, caller: Caller, app_id: str, key: str) -> None:
    """Remove one key; a missing one is no error."""
    rules.check_key(key)
    await existing(ports, app_id)
    await _remove(ports.database, ports.core, caller, app_id, key)


@in_area(Area.ADMIN)
async def providers(ports: Ports, app_id: str) -> OidcProviders:
    """The OIDC providers of an application, secrets masked."""
    await existing(ports, app_id)
    found = await _providers(ports.core, app_id)
    return OidcProviders(providers=[rules.masked(item) for item in found])


@in_area(Area.ADMIN)
async def provider(ports: Ports, app_id: str, provider_id: str) -> rules.Provider:
    """One OIDC provider, its secret masked."""
    await existing(ports, app_id)
    for item in await _providers(ports.core, app_id):
        if item.get("providerId") == provider_id:
            shown: rules.Provider = rules.masked(item)
            return shown
    raise NotFound


@in_area(Area.ADMIN)
async def put_provider(ports: Ports, caller: Caller, app_id: str, provider: rules.Provider) -> rules.Provider:
    """Insert or replace one OIDC provider; the others stay."""
    check_uris(provider, ports.settings.environment)
    await existing(ports, app_id)
    stored = await _providers(ports.core, app_id)
    new = rules.with_stored_secret(provider, stored)
    others = [item for item in stored if item.get("providerId") != provider["providerId"]]
    try:
        await _write(ports.database, ports.core, caller, app_id, rules.OAUTH2_PROVIDERS, [*others, new])
    except CoreRefused as refusal:
        raise translated(refusal, Area.ADMIN, inside=f"values.{len(others)}.") from None
    shown: rules.Provider = rules.masked(new)
    return shown


@in_area(Area.ADMIN)
async def remove_provider(ports: Ports, caller: Caller, app_id: str, provider_id: str) -> None:
    """Remove one OIDC provider.

    :raises NotFound: there is none of this id
    """
    await existing(ports, app_id)
    stored = await _providers(ports.core, app_id)
    others = [item for item in stored if item.get("providerId") != provider_id]
    if len(others) == len(stored):
        raise NotFound
    if others:
        await _write(ports.database, ports.core, caller, app_id, rules.OAUTH2_PROVIDERS, others)
    else:
        await _remove(ports.database, ports.core, caller, app_id, rules.OAUTH2_PROVIDERS)


async def _config(core: CoreClient, app_id: str) -> list[contract.ConfigItem]:
    return (await core.ask(contract.CONFIG_DETAIL, application_id=app_id)).application_configs


async def _providers(core: CoreClient, app_id: str) -> list[rules.Provider]:
    for item in await _config(core, app_id):
        if item.key == rules.OAUTH2_PROVIDERS:
            return [value for value in item.values if isinstance(value, dict)]
    return []


async def _write(
    database: Database, core: CoreClient, caller: Caller, app_id: str, key: str, values: Sequence[Any]
) -> None:
    await core.tell(contract.CONFIG_CREATE, application_id=app_id, key=key, values=values)
    await record_change(
        database,
        caller.username,
        "Application configuration changed",
        {"application": app_id, "key": key, "new": [rules.masked(value) for value in values]},
    )


async def _remove(database: Database, core: CoreClient, caller: Caller, app_id: str, key: str) -> None:
    await core.tell(contract.CONFIG_REMOVE, application_id=app_id, key=key)
    await record_change(
        database,
        caller.username,
        "Application configuration removed",
        {"application": app_id, "key": key},
    )
