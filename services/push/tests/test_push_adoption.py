"""A database of the original is taken over with its rows (spec/push-api.md §19)."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from push_client import Client, Service, settings_of
from push_fake_core import FakeCore
from push_fake_providers import FakeProviders
from push_keys import KEY_ID, PROJECT, TEAM_ID, account, p8
from push_phones import sending
from sqlalchemy import inspect, text

from powerauth_push import adoption, commands
from powerauth_push.app import create_app
from powerauth_push.migrations import BASELINE, SCRIPT_LOCATION
from servicekit import migrations
from servicekit.calls.client import AsgiTransport
from servicekit.database import Database
from servicekit.errors import DataRefused
from servicekit.serving import lifespan_of
from servicekit.start_rules import StartRefused
from servicekit.testing import fresh_database

ROWS = (
    "INSERT INTO push_app_credentials (id, app_id, apns_private_key, apns_team_id, apns_key_id, apns_bundle,"
    " apns_environment, fcm_private_key, fcm_project_id, hms_project_id, hms_client_id, hms_client_secret,"
    " timestamp_created) VALUES (nextval('push_credentials_seq'), 'app-1', :p8, :team, :key, 'com.bank.app',"
    " 'production', :account, :project, '1', '2', 'in clear', now())",
    "INSERT INTO push_device_registration VALUES (nextval('push_device_registration_seq'), 'a', 'user-1', 1,"
    " 'ios', 'token-a', null, now(), true), (nextval('push_device_registration_seq'), 'b', 'user-1', 1,"
    " 'windows', 'token-b', null, now(), null), (nextval('push_device_registration_seq'), 'c', 'user-1', 1,"
    " 'android', 'token-ü', null, now(), true)",
    "INSERT INTO push_message VALUES (nextval('push_message_seq'), 99, 'user-1', null, false, true,"
    ' \'{\n  "title" : "Sent",\n  "validUntil" : 1700000000.000000000\n}\', now(), 1),'
    " (nextval('push_message_seq'), 1, 'user-1', 'a', false, false, '{ }', now() - interval '1 year', 0)",
    "INSERT INTO push_campaign VALUES (nextval('push_campaign_seq'), 1,"
    ' \'{ "title" : "Old",\n  "validUntil" : 1700000000.000000000 }\', true, now(), now(), now())',
    "INSERT INTO push_campaign_user VALUES (nextval('push_campaign_user_seq'), 1, 'user-1', now()),"
    " (nextval('push_campaign_user_seq'), 1, 'user-1', now())",
    "INSERT INTO push_inbox VALUES (nextval('push_inbox_seq'), 'b9b0a1a2-0000-4000-8000-000000000001',"
    " 'user-1', 'text', 'A subject', 'A summary', 'The body', false, now(), null)",
    "INSERT INTO push_inbox_app VALUES (1, 1)",
)
SECRETS = {"p8": p8(), "team": TEAM_ID, "key": KEY_ID, "account": account(), "project": PROJECT}


@pytest_asyncio.fixture
async def original(tmp_path: Path) -> AsyncGenerator[str]:
    """A database as the original leaves it: no history of ours."""
    async with fresh_database("postgresql", tmp_path) as url:
        await migrations.upgrade(url, SCRIPT_LOCATION, BASELINE)
        await run(url, "DROP TABLE alembic_version", "DROP TABLE IF EXISTS pa_schema_history", *ROWS)
        yield url


async def run(url: str, *statements: str) -> None:
    database = Database(url)
    async with database.transaction() as session:
        for statement in statements:
            names = {name: value for name, value in SECRETS.items() if f":{name}" in statement}
            await session.execute(text(statement.replace(" : ", " \\: ")), names)
    await database.dispose()


async def test_rows_of_the_original_go_on_to_work(original: str) -> None:
    settings = settings_of(original, restrict_access=False)
    assert (await commands.adopt(settings, check_only=True)).text == "The database can be adopted."
    for _ in range(2):
        adopted = await commands.adopt(settings)
        assert adopted.ok, adopted.text
    assert (await commands.encrypt(settings)).text == "1 rows encrypted and bound."
    providers, core = FakeProviders(), FakeCore()
    app = create_app(settings, core_transport=AsgiTransport(core), factory=providers)
    async with lifespan_of(app):
        service = Service(app, app.state.push, core, providers)
        client: Client = service.anonymous()
        counted = await client.ok("POST", "/push/message/send", sending())
        assert (counted["apns"]["sent"], counted["fcm"]["sent"]) == (1, 1)
        assert sorted(providers.tokens()) == ["token-a", "token-ü"]
        campaign = await client.ok("GET", "/push/campaign/1/detail")
        assert (campaign["sent"], campaign["message"]["title"]) == (True, "Old")
        assert await client.ok("GET", "/push/campaign/1/user/list") == {"campaignId": 1, "users": ["user-1"]}
        listed = await client.ok("GET", "/inbox/messages/list", userId="user-1", applications="app-1")
        assert [item["subject"] for item in listed] == ["A subject"]
        moved = {
            "appId": "app-1",
            "token": "token-ü",
            "platform": "fcm",
            "activationId": core.activation("d"),
        }
        await client.ok("POST", "/push/device/create", moved)
        await client.ok("POST", "/admin/app/create", {"appId": "app-2"})


async def test_every_table_of_the_original_is_adopted_with_rows(original: str) -> None:
    """And its log goes on: with what was in it, and under the original's numbers."""
    settings = settings_of(original, restrict_access=False, message_storage_enabled=True)
    before = await counted(original)
    assert before, "the original has tables"
    assert 0 not in before.values(), before
    assert (await commands.adopt(settings)).ok
    after = await counted(original)
    assert {name: after[name] for name in before} == before | {"push_campaign_user": 1}
    app = create_app(settings, core_transport=AsgiTransport(FakeCore()), factory=FakeProviders())
    async with lifespan_of(app):
        client = Service(app, app.state.push, FakeCore(), FakeProviders()).anonymous()
        await client.ok("POST", "/push/message/send", sending())
        async with app.state.push.database.read() as session:
            log = (await session.execute(text("SELECT id, status FROM push_message ORDER BY id"))).all()
    assert [row.status for row in log[:2]] == [1, 0]
    assert [row.id for row in log] == [1, 2, 3, 4]


async def counted(url: str) -> dict[str, int]:
    """The rows of each table that a service of push has."""
    database = Database(url)
    async with database.engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
        counts = {
            name: (await connection.execute(text(f"SELECT count(*) FROM {name}"))).scalar_one()
            for name in names
            if name.startswith("push_")
        }
    await database.dispose()
    return counts


async def test_what_is_missing_or_double_is_told_and_nothing_changed(original: str) -> None:
    await run(
        original,
        "ALTER TABLE push_inbox DROP COLUMN is_read",
        "DROP TABLE push_campaign",
        "DROP SEQUENCE push_message_seq",
        "ALTER TABLE push_inbox_app DROP CONSTRAINT push_inbox_app_pkey",
    )
    told = await adoption.adopt(original)
    assert not told.ok
    for problem in (
        "push_inbox.is_read",
        "push_campaign is missing",
        "push_message_seq is missing",
        "the primary key of push_inbox_app is not (app_credentials_id, inbox_id)",
    ):
        assert problem in told.text
    assert await migrations.current(original) is None


async def test_duplicates_are_told(original: str) -> None:
    await run(
        original,
        "DROP INDEX push_device_activation",
        "DROP INDEX push_device_activation_token",
        "UPDATE push_device_registration SET activation_id = 'a'",
    )
    told = await adoption.adopt(original, check_only=True)
    assert "1 values of push_device_registration.activation_id stand in several rows" in told.text
    told = await adoption.adopt(original)
    assert told.text.endswith("Nothing was changed.")
    assert await migrations.current(original) is None


async def test_unique_indexes_that_are_missing_are_told_and_made(original: str) -> None:
    await run(
        original,
        "DROP INDEX push_app_cred_app",
        "CREATE INDEX push_app_cred_app ON push_app_credentials (app_id)",
        "DROP INDEX push_device_activation",
        "CREATE UNIQUE INDEX push_device_activation ON push_device_registration (activation_id)"
        " WHERE is_active",
    )
    told = (await adoption.adopt(original, check_only=True)).text
    for index in (
        "push_app_cred_app on push_app_credentials (app_id)",
        "push_device_activation on push_device_registration (activation_id)",
    ):
        assert f"notice: unique index {index} is missing, the adoption makes it" in told
    assert told.endswith("The database can be adopted.")
    assert (await adoption.adopt(original)).ok
    for double in (
        "UPDATE push_device_registration SET activation_id = 'b'",
        "INSERT INTO push_app_credentials (app_id) VALUES ('app-1')",
    ):
        with pytest.raises(DataRefused):
            await run(original, double)


async def test_rows_that_come_between_look_and_adoption_are_told(
    original: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(
        original,
        "DROP INDEX push_device_activation",
        "DROP INDEX push_device_activation_token",
        "UPDATE push_device_registration SET activation_id = 'a'",
    )
    monkeypatch.setattr(adoption, "_problems", lambda *_: [])
    told = await adoption.adopt(original)
    assert (told.ok, "is the original stopped?" in told.text) == (False, True)
    assert await migrations.current(original) is None


async def test_a_service_does_not_start_on_it_before(original: str) -> None:
    app = create_app(settings_of(original, migrate_on_start=True), factory=FakeProviders())
    with pytest.raises(StartRefused, match="adopt"):
        async with lifespan_of(app):
            pass
    assert not (await commands.migrate(settings_of(original))).ok
