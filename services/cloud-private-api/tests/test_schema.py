"""The migrated schema, on both databases (spec/cloud-api.md §16)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from cloud_client import Client, Service, settings_of
from cloud_fake_core import FakeCore
from sqlalchemy import Connection, text

from cloud_private_api.app import MIGRATIONS, cleanup_jobs, create_app
from cloud_private_api.audit_log.service import AuditType, record
from cloud_private_api.passwords import hash_now
from cloud_private_api.tables import METADATA
from servicekit import clock, migrations
from servicekit.bus import Event
from servicekit.database import Database, Dialect
from servicekit.inbox import handle_once
from servicekit.jobs import JobRunner
from servicekit.serving import lifespan_of
from servicekit.testing import DIALECTS, fresh_database

pytestmark = pytest.mark.parametrize("dialect", DIALECTS, indirect=True)


async def test_migrations_make_exactly_the_tables_of_the_models(database_url: str) -> None:
    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [item for item in compare_metadata(context, METADATA) if "sequence" not in str(item[0])]

    database = Database(database_url)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.dispose()


async def test_first_administrator_can_be_inserted_by_sql(service: Service, dialect: Dialect) -> None:
    number = "nextval('pa_cloud_user_seq')" if dialect == "postgresql" else "1"
    authority = "nextval('pa_cloud_user_seq')" if dialect == "postgresql" else "1"
    async with service.cloud.database.transaction() as session:
        await session.execute(
            text(
                "INSERT INTO pa_cloud_user (id, username, userpassword, enabled)"
                f" VALUES ({number}, 'root', :hash, true)"
            ),
            {"hash": hash_now("password")},
        )
        await session.execute(
            text(
                "INSERT INTO pa_cloud_user_authority (id, user_id, authority)"
                f" SELECT {authority}, id, 'ROLE_ADMIN' FROM pa_cloud_user WHERE username = 'root'"
            )
        )
    root = service.client("root", "password")
    await root.ok("POST", "/admin/users", {"username": "next"})


async def test_service_brings_its_database_up_to_date_and_seeds_it(dialect: Dialect, tmp_path: Path) -> None:
    async with fresh_database(dialect, tmp_path) as url:
        settings = settings_of(
            url,
            migrate_on_start=None,
            admin_username="root",
            admin_password_encoded=hash_now("password"),
            service_base_url="https://public.example",
        )
        for _ in range(2):
            app = create_app(settings)
            async with lifespan_of(app):
                root = Client(app, FakeCore(), ("root", "password"))
                properties = await root.ok("GET", "/admin/properties")
                assert properties == {
                    "properties": [{"name": "service.base.url", "value": "https://public.example"}]
                }
        assert await migrations.current(url) == await migrations.head(MIGRATIONS)


async def test_old_audit_records_and_events_are_forgotten(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = Event.create("type", "/source", "subject", {})
    now = clock.now()
    for days in (400, 1):
        monkeypatch.setattr(clock, "now", lambda days=days: now - timedelta(days=days))
        async with service.cloud.database.transaction() as session:
            record(session, AuditType.ADMIN, "admin", f"{days} days ago", {})
            await handle_once(session, event, f"consumer {days}")
    monkeypatch.setattr(clock, "now", lambda: now)
    jobs = JobRunner(service.cloud.database, cleanup_jobs(service.cloud))
    for name in ("audit-cleanup", "inbox-cleanup"):
        assert await jobs.run_once(name)
    assert [row.message for row in await service.audit()] == ["1 days ago"]
    async with service.cloud.database.transaction() as session:
        assert await handle_once(session, event, "consumer 400")
        assert not await handle_once(session, event, "consumer 1")
