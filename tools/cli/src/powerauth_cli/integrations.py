"""Credentials of the core's callers, written into its database before anything can call."""

from __future__ import annotations

from typing import Any

from powerauth_core.enums import IntegrationKind
from powerauth_core.integrations import service
from powerauth_core.runtime import build_core
from powerauth_core.settings import CoreSettings
from servicekit.bus.memory import InMemoryBus
from servicekit.database import Database


async def ensure_integration(name: str, door: str, **settings: Any) -> tuple[str, str]:
    """Return the credentials of the integration with this name, made if need be.

    Of the dmz kind the secret cannot be read again, so such an integration gets a new one each time.

    :param door: ``rest`` or ``dmz``
    :param settings: of the core, where they differ from the environment
    :return: client token and client secret
    """
    chosen = CoreSettings(**settings)
    database = Database(chosen.database_url.get_secret_value(), chosen, application_name="powerauth-cli")
    try:
        core = build_core(chosen, database, InMemoryBus())
        credentials = await service.ensure_integration(core, name, IntegrationKind(door))
        await core.egress.close()
    finally:
        await database.dispose()
    return credentials.client_token, credentials.client_secret
