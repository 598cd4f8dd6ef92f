"""The migrated schema, on both databases (spec/push-api.md §19)."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from push_client import Client
from sqlalchemy import Connection

from powerauth_push.tables import METADATA
from servicekit.database import Database
from servicekit.testing import DIALECTS

pytestmark = pytest.mark.parametrize("dialect", DIALECTS, indirect=True)


async def test_migrations_make_exactly_the_tables_of_the_models(database_url: str) -> None:
    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [item for item in compare_metadata(context, METADATA) if "sequence" not in str(item[0])]

    database = Database(database_url)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.dispose()


async def test_the_status_is_told(cloud: Client) -> None:
    status = await cloud.ok("GET", "/push/service/status")
    assert status["applicationName"] == "powerauth-push"
    assert status["timestamp"].endswith("+00:00")
