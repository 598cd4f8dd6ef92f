"""Callers of the core: their credentials (spec/core-api.md §16, D1 rule 7, D3, D23)."""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import IntegrationKind
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.integrations import repository
from powerauth_core.integrations.callers import CallerCache
from powerauth_core.integrations.models import Integration
from powerauth_core.integrations.ports import Ports
from powerauth_core.integrations.secrets import digest, readable_secret, store_secret, stored_digest
from powerauth_core.kernel.records import RecordCipher
from servicekit.database import Database, after_commit


@dataclass(frozen=True, slots=True)
class Credentials:
    """HTTP Basic credentials of an integration."""

    client_token: str
    client_secret: str = field(repr=False)


class UnknownIntegration(Exception):
    """No integration has this name and kind."""

    def __init__(self, name: str, kind: IntegrationKind) -> None:
        super().__init__(f"there is no integration {name} of the {kind.value} door")


class TokenTaken(Exception):
    """Another integration has this client token."""

    def __init__(self) -> None:
        super().__init__("another caller has this client token")


async def create_integration(
    database: Database, cipher: RecordCipher, name: str, kind: IntegrationKind
) -> tuple[Integration, Credentials]:
    """Create an integration; of the dmz kind the secret is shown here and never again."""
    async with database.transaction() as session:
        return await _create(cipher, session, name, kind)


async def list_integrations(
    database: Database, cipher: RecordCipher
) -> list[tuple[Integration, Credentials]]:
    """The integrations of the rest kind with their secrets."""
    async with database.read() as session:
        rows = await repository.list_of_kind(session, IntegrationKind.REST)
    # One that others have written is shown, so that it can be removed.
    return [
        (row, Credentials(row.client_token, readable_secret(cipher, row) if row.sound else ""))
        for row in rows
    ]


async def remove_integration(database: Database, callers: CallerCache, integration_id: str) -> bool:
    """Remove an integration of any kind; other processes stop accepting it within `caller_cache_seconds`.

    :return: whether there was one
    """
    async with database.transaction() as session:
        row = await repository.remove(session, integration_id)
        if row is not None:
            params = {"integrationId": row.id, "name": row.name, "kind": row.kind}
            await audit.record(session, AuditType.INTEGRATION, "Integration removed", params, None)
            after_commit(session, callers.clear)
    return row is not None


async def ensure_integration(ports: Ports, name: str, kind: IntegrationKind) -> Credentials:
    """Credentials of the integration with this name and kind, made if need be: for the all-in-one's start.

    A secret of the dmz kind cannot be read again, so such an integration gets a new secret each time.
    """
    made = await create_named(ports.database, ports.cipher, name, kind)
    if made is not None:
        return made
    if kind is IntegrationKind.DMZ:
        return await rotate_named(ports, name, kind)
    async with ports.database.read() as session:
        row = await _named(session, name, kind)
        return Credentials(row.client_token, readable_secret(ports.cipher, row))


async def create_named(
    database: Database, cipher: RecordCipher, name: str, kind: IntegrationKind
) -> Credentials | None:
    """Create the integration with this name and kind; None if there is one, which stays as it is."""
    async with database.transaction() as session:
        if await repository.find_by_name(session, name, kind) is not None:
            return None
        _row, credentials = await _create(cipher, session, name, kind)
        return credentials


async def set_credentials(ports: Ports, name: str, kind: IntegrationKind, wanted: Credentials) -> bool:
    """Give the integration with this name and kind these credentials; made if need be.

    :return: whether anything was changed; a second time nothing is
    :raises TokenTaken: the client token is another integration's
    """
    async with ports.database.transaction() as session:
        other = await repository.find_by_token(session, wanted.client_token)
        if other is not None and (other.name, other.kind) != (name, kind.value):
            raise TokenTaken
        row = await repository.find_by_name(session, name, kind)
        if row is None:
            await _create(ports.cipher, session, name, kind, wanted)
            return True
        if _has(ports.cipher, row, wanted):
            return False
        row.client_token = wanted.client_token
        await _renew_secret(ports, session, row, wanted.client_secret)
        return True


async def rotate_named(ports: Ports, name: str, kind: IntegrationKind) -> Credentials:
    """Give an integration a new secret; other processes take the old one up to `caller_cache_seconds` longer.

    :raises UnknownIntegration: there is none of this name and kind
    """
    async with ports.database.transaction() as session:
        row = await _named(session, name, kind)
        secret = str(uuid.uuid4())
        await _renew_secret(ports, session, row, secret)
        return Credentials(row.client_token, secret)


async def remove_named(database: Database, callers: CallerCache, name: str, kind: IntegrationKind) -> None:
    """Remove an integration.

    :raises UnknownIntegration: there is none of this name and kind
    """
    async with database.read() as session:
        row = await _named(session, name, kind)
    await remove_integration(database, callers, row.id)


async def list_callers(database: Database) -> list[Integration]:
    """The integrations of both kinds; their secrets stay where they are."""
    async with database.read() as session:
        return [row for kind in IntegrationKind for row in await repository.list_of_kind(session, kind)]


async def _named(session: AsyncSession, name: str, kind: IntegrationKind) -> Integration:
    row = await repository.find_by_name(session, name, kind)
    if row is None:
        raise UnknownIntegration(name, kind)
    return row


async def _renew_secret(ports: Ports, session: AsyncSession, row: Integration, secret: str) -> None:
    store_secret(ports.cipher, row, secret)
    params = {"integrationId": row.id, "name": row.name, "kind": row.kind}
    await audit.record(session, AuditType.INTEGRATION, "Integration secret rotated", params, None)
    after_commit(session, ports.callers.clear)


def _has(cipher: RecordCipher, row: Integration, credentials: Credentials) -> bool:
    same_secret = hmac.compare_digest(stored_digest(cipher, row), digest(credentials.client_secret))
    return same_secret and row.client_token == credentials.client_token


async def _create(
    cipher: RecordCipher,
    session: AsyncSession,
    name: str,
    kind: IntegrationKind,
    given: Credentials | None = None,
) -> tuple[Integration, Credentials]:
    credentials = given or Credentials(str(uuid.uuid4()), str(uuid.uuid4()))
    row = Integration(id=str(uuid.uuid4()), name=name, client_token=credentials.client_token, kind=kind.value)
    store_secret(cipher, row, credentials.client_secret)
    session.add(row)
    await session.flush()
    params = {"integrationId": row.id, "name": name, "kind": kind.value}
    await audit.record(session, AuditType.INTEGRATION, "Integration created", params, None)
    return row, credentials
