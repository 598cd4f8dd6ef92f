"""The cache of applications (design §8)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from core_test_api import Api, TestApplication
from core_test_rows import execute
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.applications.cache import ApplicationCache
from powerauth_core.container import Core
from powerauth_core.kernel.errors import MasterKeyFormat, NoMasterKeyPair
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3.keys import export_public_key, generate_key_pair
from powerauth_protocol.v3.versions import ProtocolVersion
from servicekit.testing import PATIENCE_SECONDS

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

FOREIGN_KEY = b64encode(export_public_key(generate_key_pair().public))


async def test_facts_of_a_key_name_application_version_and_decoded_keys(
    api: Api, core: Core, application: TestApplication
) -> None:
    await api.ok("application/roles/create", applicationId="test-application", applicationRoles=["R"])
    async with core.database.read() as session:
        facts = await core.application_cache.by_key(session, application.application_key)
    assert facts is not None
    assert facts.application_id == "test-application"
    assert facts.secret == application.application_secret == b64encode(facts.secret_bytes)
    assert (facts.supported, facts.roles, facts.version_id) == (True, ("R",), "default")
    assert facts.minimum_protocol_version == "3.0"
    master = facts.master_key()
    assert b64encode(export_public_key(master.private.public_key())) == application.master_public_key


async def test_second_look_up_needs_no_database(core: Core, application: TestApplication) -> None:
    # A cache of its own, since the event of the application's creation may still be on its way to the core's.
    cache = ApplicationCache(core.cipher, capacity=10, seconds=60, minimum_protocol_version="3.0")
    async with core.database.read() as session:
        first = await cache.by_key(session, application.application_key)
    assert await cache.by_key(AsyncSession(), application.application_key) is first


async def test_unknown_names_are_looked_up_again(core: Core, api: Api) -> None:
    async with core.database.read() as session:
        assert await core.application_cache.by_id(session, "later") is None
        assert await core.application_cache.by_key(session, "AAAA") is None
        assert await core.application_cache.by_rid(session, 4711) is None
    await api.ok("application/create", applicationId="later")
    async with core.database.read() as session:
        identity = await core.application_cache.by_id(session, "later")
        assert identity is not None
        again = await core.application_cache.by_rid(session, identity.application_rid)
    assert again is not None
    assert (identity.application_id, again.application_id) == ("later", "later")


async def test_minimum_protocol_version_comes_from_the_configuration(
    api: Api, core: Core, application: TestApplication
) -> None:
    async with core.database.read() as session:
        await core.application_cache.by_key(session, application.application_key)
    await api.ok(
        "application/config/create",
        applicationId=application.application_id,
        key="minimumProtocolVersion",
        values=["3.3"],
    )
    async with core.database.read() as session:
        facts = await core.application_cache.by_key(session, application.application_key)
    assert facts is not None
    assert [version for version in ProtocolVersion if facts.accepts(version)] == [ProtocolVersion.V3_3]


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("DELETE FROM pa_master_keypair", NoMasterKeyPair),
        ("UPDATE pa_master_keypair SET master_key_private_base64 = 'AAAA'", MasterKeyFormat),
        ("UPDATE pa_master_keypair SET master_key_public_base64 = 'AAAA'", MasterKeyFormat),
        (f"UPDATE pa_master_keypair SET master_key_public_base64 = '{FOREIGN_KEY}'", MasterKeyFormat),
    ],
)
async def test_a_missing_or_unreadable_master_key_is_an_error_only_when_used(
    core: Core, application: TestApplication, statement: str, error: type[Exception]
) -> None:
    await execute(core, text(statement))
    core.application_cache.clear()
    async with core.database.read() as session:
        facts = await core.application_cache.by_key(session, application.application_key)
    assert facts is not None
    with pytest.raises(error):
        facts.master_key()


async def test_a_change_is_announced_to_other_processes(
    api: Api, application: TestApplication, core: Core
) -> None:
    heard = asyncio.Event()

    async def hear(event: Any) -> None:
        if event.data == {"applicationId": application.application_id, "part": "version"}:
            heard.set()

    await core.bus.subscribe_broadcast(["application.changed"], hear)
    names = {"applicationId": application.application_id, "applicationVersionId": "default"}
    await api.ok("application/version/unsupport", **names)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await heard.wait()


async def test_an_announced_change_empties_the_cache(core: Core, application: TestApplication) -> None:
    async with core.database.read() as session:
        before = await core.application_cache.by_key(session, application.application_key)
    async with core.database.transaction() as session:
        await session.execute(text("UPDATE pa_application_version SET supported = false"))
        from powerauth_core import events

        await events.application_changed(session, application.application_id, "version")
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            async with core.database.read() as session:
                facts = await core.application_cache.by_key(session, application.application_key)
            if facts is not before:
                break
            await asyncio.sleep(0.01)
    assert facts is not None
    assert not facts.supported
