"""Configuration of applications: lists of values by key, encrypted at rest (spec/core-api.md §6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core import events
from powerauth_core.applications import repository
from powerauth_core.applications.cache import ApplicationCache
from powerauth_core.applications.config_keys import ALLOWED_KEYS, OAUTH2_PROVIDERS
from powerauth_core.applications.models import Application, ApplicationConfig
from powerauth_core.applications.ports import Ports
from powerauth_core.applications.provider_rules import refused_member
from powerauth_core.applications.secrets import config_values
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.kernel.base import json_text
from powerauth_core.kernel.egress import Egress
from powerauth_core.kernel.errors import InvalidApplication, InvalidRequest
from powerauth_core.kernel.records import RecordCipher, application_text_parts
from powerauth_core.settings import CoreSettings
from servicekit.database import Database, after_commit


async def config_detail(
    database: Database, cipher: RecordCipher, application_id: str
) -> dict[str, list[Any]]:
    """The values of all keys of an application; none for an unknown one."""
    async with database.read() as session:
        application = await repository.find_by_name(session, application_id)
        if application is None:
            return {}
        rows = await repository.configs_of(session, application.id)
    return {row.config_key: config_values(cipher, application.name, row) for row in rows}


async def create_config(ports: Ports, *, application_id: str, key: str, values: Sequence[Any]) -> None:
    """Set all values of a key.

    :raises InvalidRequest: unknown key, or values that the key does not take
    :raises InvalidApplication: unknown application
    """
    check = ALLOWED_KEYS.get(key)
    if check is None:
        raise InvalidRequest("requestObject.key - unknown configuration key")
    if not check(values):
        raise InvalidRequest("requestObject.values - not usable for this key")
    if key == OAUTH2_PROVIDERS:
        _check_providers(ports.settings, ports.egress, values)
    async with ports.database.transaction() as session:
        application = await repository.lock_by_name(session, application_id)
        if application is None:
            raise InvalidApplication
        await store(ports.cipher, session, application, key, values)
        await _announce(
            ports.application_cache, session, "Application configuration set", application.name, key
        )


def _check_providers(settings: CoreSettings, egress: Egress, values: Sequence[Any]) -> None:
    https_only = settings.environment != "test"
    refused = refused_member(values, egress.policy, https_only)
    if refused is not None:
        raise InvalidRequest(f"requestObject.values.{refused[0]} - {refused[1]}")


async def remove_config(
    database: Database, application_cache: ApplicationCache, *, application_id: str, key: str
) -> None:
    """Remove a key; nothing happens if the application or the key is not there.

    :raises InvalidRequest: unknown key
    """
    if key not in ALLOWED_KEYS:
        raise InvalidRequest("requestObject.key - unknown configuration key")
    async with database.transaction() as session:
        application = await repository.lock_by_name(session, application_id)
        if application is None or not await repository.remove_config(session, application.id, key):
            return
        await _announce(
            application_cache, session, "Application configuration removed", application.name, key
        )


async def values_of(
    cipher: RecordCipher, session: AsyncSession, application_rid: int, application_id: str, key: str
) -> list[Any] | None:
    """The values of one key; None if it is not configured."""
    row = await repository.find_config(session, application_rid, key)
    return None if row is None else config_values(cipher, application_id, row)


async def store(
    cipher: RecordCipher, session: AsyncSession, application: Application, key: str, values: Sequence[Any]
) -> None:
    """Write the values of a key of a locked or new application, encrypted if there is a master key."""
    row = await repository.find_config(session, application.id, key)
    if row is not None and not row.sound:
        # Everything of it is written anew, so nothing of what others wrote is vouched for.
        await repository.remove_config(session, application.id, key)
        session.expunge(row)
        row = None
    if row is None:
        row = ApplicationConfig(application_id=application.id, config_key=key)
        session.add(row)
    parts = application_text_parts(application.name)
    mode, row.config_values = cipher.encrypt_text(parts, json_text(list(values)))
    row.encryption_mode = mode.name
    await session.flush()


async def _announce(
    application_cache: ApplicationCache, session: AsyncSession, message: str, application_id: str, key: str
) -> None:
    """Audit the key that changed, never its values: they may hold client secrets."""
    params = {"applicationId": application_id, "key": key}
    await audit.record(session, AuditType.APPLICATION, message, params, None)
    await events.application_changed(session, application_id, "config")
    after_commit(session, application_cache.clear)
