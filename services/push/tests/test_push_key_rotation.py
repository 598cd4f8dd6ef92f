"""A master key is exchanged (D34): credentials and callers stay usable, and the old key is forgotten."""

from __future__ import annotations

import pytest
from push_client import Client, Service, settings_of
from push_phones import application
from sqlalchemy import select, text

from powerauth_push import commands
from powerauth_push.app import build, running
from powerauth_push.applications.models import AppCredentials
from powerauth_push.applications.secrets import PROVIDERS, configured, credentials_of
from powerauth_push.callers.models import Integration
from powerauth_push.settings import PushSettings
from servicekit.bus.memory import InMemoryBus
from servicekit.key_records import MasterKeyRefused
from servicekit.master_keys import id_of, key_id
from servicekit.testing import DIALECTS

pytestmark = pytest.mark.parametrize("dialect", DIALECTS, indirect=True)

NEW = "bmV3IG1hc3RlciBrZXkgIQ=="


async def usable(settings: PushSettings) -> None:
    """Everything opens for a service that starts with these settings."""
    push = build(settings)
    async with running(push, InMemoryBus()):
        async with push.database.read() as session:
            row = (await session.scalars(select(AppCredentials))).one()
            callers = (await session.scalars(select(Integration))).all()
        assert [credentials_of(push.cipher, row, provider) for provider in PROVIDERS]
        assert all(caller.sound for caller in callers)


async def test_all_is_of_the_new_key_after_a_rotation(
    service: Service, cloud: Client, database_url: str
) -> None:
    await application(cloud)
    old = service.push.settings
    reads_both = settings_of(
        database_url,
        master_encryption_key=NEW,
        previous_master_encryption_keys=old.master_encryption_key.get_secret_value(),
    )
    only_new = settings_of(database_url, master_encryption_key=NEW)
    assert (await commands.check_backup(old, whole=True)).ok
    await usable(reads_both)
    assert not (await commands.key_status(reads_both)).ok
    with pytest.raises(MasterKeyRefused, match=r"PREVIOUS.*still needs"):
        await usable(only_new)
    rotated = await commands.rotate_keys(reads_both, batch=1)
    assert rotated.ok, rotated.text
    status = await commands.key_status(reads_both)
    assert (status.ok, "0 values are of other keys" in status.text) == (True, True)
    async with service.push.database.read() as session:
        names = (await session.scalars(text("SELECT row_mac FROM push_integration"))).all()
    assert only_new.master_key is not None
    assert {id_of(name) for name in names} == {key_id(only_new.master_key)}
    await usable(only_new)
    checked = await commands.check_backup(only_new, whole=True)
    assert checked.ok, checked.text
    with pytest.raises(MasterKeyRefused, match="is another key"):
        await usable(old)
    assert not (await commands.check_backup(old, whole=False)).ok


async def test_a_damaged_secret_is_given_up_when_that_is_wished_for(
    service: Service, cloud: Client, database_url: str
) -> None:
    await application(cloud)
    old = service.push.settings.master_encryption_key.get_secret_value()
    both = settings_of(database_url, master_encryption_key=NEW, previous_master_encryption_keys=old)
    async with service.push.database.transaction() as session:
        row = (await session.scalars(select(AppCredentials))).one()
        row.fcm_private_key = b"AAAA"
    column = "push_app_credentials.fcm_private_key"
    rotated = await commands.rotate_keys(both, batch=1)
    assert (rotated.ok, f"{column}: 1 unreadable" in rotated.text) == (False, True)
    rotated = await commands.rotate_keys(both, batch=1, gives_up=1)
    assert (rotated.ok, f"{column} of {row.app_id}: unreadable, given up" in rotated.text) == (True, True)
    push = build(settings_of(database_url, master_encryption_key=NEW))
    async with running(push, InMemoryBus()), push.database.read() as session:
        row = (await session.scalars(select(AppCredentials))).one()
        assert configured(row) == {"apns": True, "fcm": False, "hms": True}
        assert credentials_of(push.cipher, row, "apns")


async def test_the_key_is_told_where_others_have_changed_every_row(
    service: Service, cloud: Client, database_url: str
) -> None:
    """Nothing is recorded of a key, as after the upgrade that records it."""
    await application(cloud)
    async with service.push.database.transaction() as session:
        for change in (
            "DELETE FROM push_master_key_record",
            "UPDATE push_app_credentials SET row_mac = 'x'",
            "UPDATE push_integration SET row_mac = 'x'",
        ):
            await session.execute(text(change))
    other = settings_of(database_url, master_encryption_key=NEW)
    with pytest.raises(MasterKeyRefused, match=r"fits no row .* or others have changed the rows"):
        await usable(other)
    push = build(service.push.settings)
    async with running(push, InMemoryBus()), push.database.read() as session:
        assert not any(row.sound for row in await session.scalars(select(Integration)))
