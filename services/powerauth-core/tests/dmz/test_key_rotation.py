"""A master key is exchanged while banks and phones go on (D34)."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from core_test_api import Api, MakeSettings, StartCore, TestApplication
from core_test_phones import MakePhone
from core_test_rows import execute, found, rewrite
from sqlalchemy import func, select, text

from powerauth_contracts.enums import IntegrationKind
from powerauth_core import commands
from powerauth_core.activations.models import Activation
from powerauth_core.app import create_app
from powerauth_core.audit.models import AuditLog
from powerauth_core.container import Core
from powerauth_core.integrations.service import ensure_integration
from powerauth_core.master_key.models import MasterKeyRecord
from powerauth_core.master_key.service import REGISTRY
from powerauth_core.secret_columns import KEYED_COLUMNS
from powerauth_core.settings import CoreSettings
from powerauth_protocol.common.encoding import b64decode
from powerauth_sdk.phone import Phone, token_request
from servicekit import clock
from servicekit.key_records import MasterKeyRefused, live
from servicekit.key_rotation import count
from servicekit.master_keys import key_id
from servicekit.serving import lifespan_of
from servicekit.testing import PATIENCE_SECONDS

if TYPE_CHECKING:
    from dmz.conftest import Door

SCALE = max(1, int(os.environ.get("POWERAUTH_SOAK_SCALE", "1")))
"""`make soak` lets more of everything happen."""
OLD, NEW = "MTIzNDU2Nzg5MDEyMzQ1Ng==", "bmV3IG1hc3RlciBrZXkgIQ=="
NEW_ID = key_id(b64decode(NEW))
PHONES, IDLE, BATCH = 3, 12 * SCALE**2, 5
READS_OLD = {"master_encryption_key": OLD, "previous_master_encryption_keys": NEW}
WRITES_NEW = {"master_encryption_key": NEW, "previous_master_encryption_keys": OLD}
ONLY_NEW, ONLY_OLD = {"master_encryption_key": NEW}, {"master_encryption_key": OLD}


@dataclass
class User:
    """A phone, a token of it, and what was answered to both."""

    phone: Phone
    token: tuple[str, bytes]
    answered: Counter[str] = field(default_factory=Counter)

    async def use(self, door: Door, bank: Api) -> None:
        """Sign, show the token, and approve an operation: all of it is accepted, or the test fails."""
        signed = await bank.ok("signature/verify", **self.phone.sign(b"{}").request)
        assert signed["signatureValid"], signed
        shown = await bank.ok("token/validate", **token_request(self.token, clock.now_ms()))
        assert shown["tokenValid"], shown
        made = await door.operation()
        approved = await door.signed(self.phone, "operation/approve", door.approval(made))
        assert approved["authenticated"], approved
        self.answered.update(("signature", "token", "approval"))


@dataclass
class World:
    """An installation whose key is to be exchanged.

    :ivar credentials: of the bank and of enrollment, by door
    """

    application: TestApplication
    users: list[User]
    door: Door
    make_settings: MakeSettings
    credentials: dict[str, tuple[str, str]]

    @asynccontextmanager
    async def replica(self, **keys: str) -> AsyncGenerator[tuple[Door, Api]]:
        """A core with these keys, as enrollment and the bank reach it."""
        app = create_app(self.make_settings(**keys))
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(lifespan_of(app))
            core: Core = app.state.core
            bank, dmz = (Api(app, path, self.credentials[path]) for path in self.credentials)
            stack.push_async_callback(bank.close)
            stack.push_async_callback(dmz.close)
            yield self.door.at(dmz, core, bank), bank

    @asynccontextmanager
    async def under_load(self, *replicas: tuple[Door, Api]) -> AsyncGenerator[None]:
        """Everybody goes on during the block, each at one replica after the other, and is never refused."""
        stopped = asyncio.Event()

        async def go_on(user: User, first: int) -> None:
            turn = first
            while not stopped.is_set() or turn < first + len(replicas):
                await user.use(*replicas[turn % len(replicas)])
                turn += 1

        async with asyncio.TaskGroup() as tasks:
            for number, user in enumerate(self.users):
                tasks.create_task(go_on(user, number))
            try:
                yield
            finally:
                stopped.set()


@pytest_asyncio.fixture
async def world(
    core: Core,
    api: Api,
    door: Door,
    application: TestApplication,
    make_phone: MakePhone,
    make_settings: MakeSettings,
) -> World:
    phones = [await make_phone("alice") for _ in range(PHONES)]
    users = [User(phone, await door.token(phone)) for phone in phones]
    name = application.application_id
    for number in range(IDLE):
        await api.ok("activation/init", userId=f"user-{number}", applicationId=name)
    await api.ok("application/config/create", applicationId=name, key="oauth2_providers", values=[{"a": 1}])
    await api.ok(
        "application/callback/create",
        applicationId=name,
        name="bank",
        type="ACTIVATION_STATUS_CHANGE",
        callbackUrl="https://bank.example/",
        authentication={"httpBasic": {"enabled": True, "username": "u", "password": "p"}},
    )
    await door.operation()  # makes the template
    for user in users:
        await user.use(door, api)
    made = {
        path: await ensure_integration(core, f"rotation {kind.value}", kind)
        for path, kind in (("/rest/v3", IntegrationKind.REST), ("/dmz/v1", IntegrationKind.DMZ))
    }
    credentials = {path: (each.client_token, each.client_secret) for path, each in made.items()}
    return World(application, users, door, make_settings, credentials)


async def left(core: Core) -> Counter[str]:
    """How many values there are of each key, as they name them."""
    return sum((await count(core.database, KEYED_COLUMNS)).values(), Counter())


async def stopped_on_the_way(core: Core, settings: CoreSettings) -> None:
    """Rotate, and be stopped for good while a row is waited for that somebody holds."""
    async with core.database.transaction() as session:
        ids = select(Activation.activation_id).order_by(Activation.activation_id)
        held = (await session.scalars(ids.where(Activation.user_id.like("user-%")))).all()[IDLE // 2]
        row = select(Activation).where(Activation.activation_id == held)
        await session.execute(row.with_for_update())
        async with killed_process(settings) if SCALE > 1 else cancelled_task(settings):
            waits = text(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'powerauth-core-cli'"
                " AND datname = current_database() AND wait_event_type = 'Lock'"
            )
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await _scalar(core, waits):  # noqa: ASYNC110 another connection's state
                    await asyncio.sleep(0.02)


@asynccontextmanager
async def cancelled_task(settings: CoreSettings) -> AsyncGenerator[None]:
    task = asyncio.create_task(commands.rotate_keys(settings, batch=BATCH))
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


@asynccontextmanager
async def killed_process(settings: CoreSettings) -> AsyncGenerator[None]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "powerauth_cli", "keys", "rotate", "core", "--batch", str(BATCH)),
        env=os.environ
        | {
            "CORE_DATABASE_URL": settings.database_url.get_secret_value(),
            "CORE_MASTER_ENCRYPTION_KEY": NEW,
            "CORE_PREVIOUS_MASTER_ENCRYPTION_KEYS": OLD,
            "CORE_DATABASE_LOCK_TIMEOUT_SECONDS": str(PATIENCE_SECONDS),
        },
    )
    yield
    assert process.returncode is None
    process.send_signal(signal.SIGKILL)
    await process.wait()


async def _scalar(core: Core, statement: Any) -> Any:
    async with core.database.read() as session:
        return await session.scalar(statement)


@pytest.mark.dialects("sqlite", "postgresql")
async def test_the_key_is_exchanged_under_load_and_the_old_one_forgotten(
    core: Core, world: World, start_core: StartCore
) -> None:
    settings = world.make_settings(**WRITES_NEW)
    async with world.replica(**READS_OLD) as first, world.replica(**WRITES_NEW) as second:
        async with world.under_load(first, second):  # the second is the first that writes the new key
            assert not (await commands.key_status(settings)).ok
        async with world.replica(**WRITES_NEW) as third, world.under_load(second, third):
            if core.database.dialect == "postgresql":
                await stopped_on_the_way(core, settings)
                names = await left(core)
                assert names[NEW_ID]
                assert names[""]
            # Somebody forgets the old key too early.
            with pytest.raises(MasterKeyRefused, match=r"PREVIOUS.*still needs"):
                await start_core(**ONLY_NEW)
            rotated = await commands.rotate_keys(settings, batch=BATCH)
            assert rotated.ok, rotated.text
    status = await commands.key_status(settings)
    assert (status.ok, NEW not in status.text, OLD not in status.text) == (True, True, True), status.text
    assert set(await left(core)) == {NEW_ID}
    await everything_works(core, world)


async def everything_works(core: Core, world: World) -> None:
    """Without the old key, the proof of what was audited under it included."""
    settings = world.make_settings(**ONLY_NEW)
    checked = await commands.check_backup(settings, whole=True)
    assert not checked.ok  # the record of the old key is there until a core starts without it
    assert "is not given" in checked.text
    async with world.replica(**ONLY_NEW) as (door, bank):
        for user in world.users:
            await user.use(door, bank)
        name = world.application.application_id
        config = await bank.ok("application/config/detail", applicationId=name)
        assert config["applicationConfigs"][0]["values"] == [{"a": 1}]
        listed = await bank.ok("application/callback/list", applicationId=name)
        assert listed["callbackUrlList"][0]["authentication"]["httpBasic"]["passwordSet"] is True
    lines: list[str] = []
    verified = await commands.verify_audit(settings, lines.append)
    assert (verified.ok, lines) == (True, []), verified.text
    checked = await commands.check_backup(settings, whole=True)
    assert checked.ok, checked.text
    assert [each.key_id for each in live(await found(core, select(MasterKeyRecord)))] == [NEW_ID]
    with pytest.raises(MasterKeyRefused, match="is another key"):
        async with world.replica(**ONLY_OLD):
            pass


async def test_what_others_have_written_gets_no_mac_of_the_new_key(core: Core, world: World) -> None:
    await execute(core, text("UPDATE pa_activation SET user_id = 'mallory' WHERE user_id = 'user-0'"))
    settings = world.make_settings(**WRITES_NEW)
    rotated = await commands.rotate_keys(settings, batch=BATCH)
    assert (rotated.ok, rotated.text.count("was written by others")) == (False, 1)
    assert not (await commands.key_status(settings)).ok
    rows = select(func.count()).where(Activation.row_mac.not_like(f"{NEW_ID}:%"))
    assert await _scalar(core, rows) == 1
    checked = await commands.check_backup(settings, whole=True)
    assert (checked.ok, "pa_activation.row_mac" in checked.text) == (False, True)


async def test_an_exchange_is_taken_back(core: Core, world: World, start_core: StartCore) -> None:
    for keys, others in ((WRITES_NEW, ONLY_OLD), (READS_OLD, ONLY_NEW)):
        await start_core(**keys)
        with pytest.raises(MasterKeyRefused, match="lacks the key"):
            await start_core(**others)
        assert (await commands.rotate_keys(world.make_settings(**keys), batch=BATCH)).ok
    assert set(await left(core)) == {""}
    async with world.replica(**ONLY_OLD) as (door, bank):
        await world.users[0].use(door, bank)


async def test_a_damaged_secret_is_given_up_when_that_is_wished_for(
    core: Core, world: World, start_core: StartCore
) -> None:
    token_id, settings = world.users[0].token[0], world.make_settings(**WRITES_NEW)
    await execute(core, text(f"UPDATE pa_token SET token_secret = 'AAAA' WHERE token_id = '{token_id}'"))
    await rewrite(core, Activation.user_id == "user-1", server_private_key_base64="AAAA")
    [damaged] = await found(core, select(Activation.activation_id).where(Activation.user_id == "user-1"))
    columns = {"pa_token.token_secret": token_id, "pa_activation.server_private_key_base64": damaged}
    rotated = await commands.rotate_keys(settings, batch=BATCH)
    assert (rotated.ok, [f"{column}: 1 unreadable" in rotated.text for column in columns]) == (
        False,
        [True, True],
    )
    with pytest.raises(MasterKeyRefused, match=r"PREVIOUS.*still needs"):
        await start_core(**ONLY_NEW)
    told = ""
    for is_last in (False, True):  # no more than was said
        rotated = await commands.rotate_keys(settings, batch=BATCH, gives_up=1)
        assert rotated.ok is is_last, rotated.text
        assert rotated.text.count("given up") == 1
        told += rotated.text
    for column, row in columns.items():
        assert f"{column} of {row}: unreadable, given up" in told
    records = await found(core, select(AuditLog.param).where(AuditLog.audit_type == "integrity"))
    assert {row for row in columns.values() if any(row in record for record in records)} == {
        *columns.values()
    }
    async with world.replica(**ONLY_NEW) as (door, bank):
        await world.users[1].use(door, bank)
        assert (await bank.post("token/validate", **token_request(world.users[0].token, clock.now_ms())))[
            0
        ] == 400
        assert (await bank.ok("activation/remove", activationId=damaged))["removed"] is True
    checked = await commands.check_backup(world.make_settings(**ONLY_NEW), whole=True)
    assert checked.ok, checked.text


async def test_what_is_written_with_a_forgotten_key_opens_when_it_is_given_again(
    core: Core, world: World, start_core: StartCore
) -> None:
    """A replica that was left at the first step goes on after the others have forgotten its key."""
    settings, readiness = world.make_settings(**WRITES_NEW), "/actuator/health/readiness"
    async with world.replica(**READS_OLD) as (_, left_behind):
        await start_core(**WRITES_NEW)
        assert (await commands.rotate_keys(settings, batch=BATCH)).ok
        await start_core(**ONLY_NEW)
        assert (await left_behind.send(readiness, b"", method="GET")).status_code == 503
        name = world.application.application_id
        late = await left_behind.ok("activation/init", userId="late", applicationId=name)
    status = {"activationId": late["activationId"]}
    async with world.replica(**ONLY_NEW) as (_, bank):
        assert (await bank.post("activation/status", **status))[0] == 503
    assert not (await commands.key_status(settings)).ok
    assert (await commands.rotate_keys(settings, batch=BATCH)).ok
    async with world.replica(**ONLY_NEW) as (_, bank):
        assert (await bank.ok("activation/status", **status))["activationStatus"] == "CREATED"
    await start_core(**READS_OLD)  # it may be taken back all the same
    assert (await commands.rotate_keys(world.make_settings(**READS_OLD), batch=BATCH)).ok
    assert set(await left(core)) == {""}


async def test_a_core_that_lacks_the_new_key_says_so_and_blocks_nothing(
    core: Core, api: Api, world: World
) -> None:
    """One that was started before anybody wrote with it, and not given it."""
    await REGISTRY.confirm(core.database, core.cipher.keys)
    settings = world.make_settings(**WRITES_NEW)
    assert (await commands.rotate_keys(settings, batch=BATCH)).ok
    status, _ = await api.post("signature/verify", **world.users[0].phone.sign(b"{}").request)
    assert status == 503
    assert (await api.send("/actuator/health/readiness", b"", method="GET")).status_code == 503
    async with world.replica(**WRITES_NEW) as (door, bank):
        await world.users[0].use(door, bank)
