"""Use cases of properties (spec/cloud-api.md §11.8, §15)."""

from __future__ import annotations

import re

from cloud_private_api.access.rules import Caller
from cloud_private_api.audit_log.service import AuditType, record
from cloud_private_api.errors import InvalidRequest, Violation
from cloud_private_api.properties import repository
from powerauth_contracts.cloud.properties import Properties, Property
from servicekit.database import Database

_NAME = re.compile(r"[A-Za-z0-9._\-]{1,255}")


async def list_all(database: Database) -> Properties:
    """All properties by name."""
    async with database.read() as session:
        rows = await repository.list_all(session)
        return Properties(properties=[Property(name=row.name, value=row.value) for row in rows])


async def put(database: Database, caller: Caller, name: str, value: str | None) -> Property:
    """Set a property."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(Violation("name", "must be letters, digits, dots, dashes", name, parameter=True))
    async with database.transaction() as session:
        before = await repository.put(session, name, value)
        record(
            session,
            AuditType.ADMIN,
            caller.username,
            "Property changed",
            {"caller": caller.username, "name": name, "old": before, "new": value},
        )
    return Property(name=name, value=value)


async def seed_service_base_url(database: Database, url: str) -> None:
    """Set the configured enrollment address, unless there is one."""
    if url:
        async with database.transaction() as session:
            await repository.insert_missing(session, repository.SERVICE_BASE_URL, url)
