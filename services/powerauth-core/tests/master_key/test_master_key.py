"""The master key is the one of the database, or the core does not start; binding the rows of a database."""

from __future__ import annotations

import asyncio

import pytest
from core_test_api import Api, MakeSettings, Serve, StartCore, TestApplication
from sqlalchemy import select, text

from powerauth_core import commands
from powerauth_core.activations.models import Activation
from powerauth_core.container import Core
from powerauth_core.master_key.models import MasterKeyRecord
from powerauth_core.secret_columns import BOUND_TABLES
from servicekit.key_records import MasterKeyRefused
from servicekit.master_keys import key_check
from servicekit.row_macs import RowBinding, table_of

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

OTHER_KEY = "AAAAAAAAAAAAAAAAAAAAAA=="


async def execute(core: Core, *statements: str) -> None:
    async with core.database.transaction() as session:
        for statement in statements:
            await session.execute(text(statement))


async def record_of(core: Core) -> MasterKeyRecord | None:
    async with core.database.read() as session:
        found: MasterKeyRecord | None = await session.scalar(select(MasterKeyRecord))
        return found


async def forget(core: Core) -> None:
    """Leave the database as a release without MACs would."""
    await execute(
        core,
        "DELETE FROM master_key_record",
        *[f"UPDATE {table_of(table)} SET row_mac = NULL" for table in BOUND_TABLES],
    )


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("key", [OTHER_KEY, ""])
async def test_a_core_starts_with_the_key_of_its_database_only(start_core: StartCore, key: str) -> None:
    with pytest.raises(MasterKeyRefused) as refused:
        await start_core(master_encryption_key=key)
    assert str(refused.value).startswith("CORE_MASTER_ENCRYPTION_KEY: is ")
    assert "\n" not in str(refused.value)
    assert OTHER_KEY not in str(refused.value)
    await start_core()


@pytest.mark.parametrize("key", [OTHER_KEY, ""])
@pytest.mark.parametrize("only", ["pa_master_keypair", "pa_activation"])
async def test_what_the_key_has_encrypted_tells_where_nothing_is_recorded(
    core: Core, api: Api, application: TestApplication, start_core: StartCore, key: str, only: str
) -> None:
    await api.ok("activation/init", userId="alice", applicationId=application.application_id)
    await forget(core)
    for table, mode in (
        ("pa_activation", "server_private_key_encryption"),
        ("pa_master_keypair", "master_key_private_encryption"),
        ("pa_integration", "client_secret_encryption"),
    ):
        if table != only:
            await execute(core, f"UPDATE {table} SET {mode} = 0")
    with pytest.raises(MasterKeyRefused, match=r"does not open|holds encrypted"):
        await start_core(master_encryption_key=key)
    await start_core()
    record = await record_of(core)
    assert record is not None
    assert core.settings.master_key is not None
    assert (record.key_check, record.row_binding) == (key_check(core.settings.master_key), "off")


async def test_a_database_in_clear_is_served_without_a_key_and_takes_one_later(start_core: StartCore) -> None:
    clear = await start_core(master_encryption_key="")
    assert await record_of(clear) is None
    await start_core()
    with pytest.raises(MasterKeyRefused):
        await start_core(master_encryption_key="")


async def test_of_cores_with_different_keys_that_start_at_once_one_is_refused(start_core: StartCore) -> None:
    keys = ["MTIzNDU2Nzg5MDEyMzQ1Ng==", OTHER_KEY]
    started = await asyncio.gather(
        *[start_core(master_encryption_key=key) for key in keys], return_exceptions=True
    )
    assert [isinstance(each, Core) for each in started].count(True) == 1
    [refused] = [each for each in started if isinstance(each, BaseException)]
    assert isinstance(refused, MasterKeyRefused), refused


async def test_a_row_of_an_unknown_key_stops_no_command(
    core: Core, api: Api, application: TestApplication, make_settings: MakeSettings
) -> None:
    started = {"userId": "alice", "applicationId": application.application_id}
    made = [(await api.ok("activation/init", **started))["activationId"] for _ in range(2)]
    unknown, changed = sorted(made)
    await execute(
        core,
        f"UPDATE pa_activation SET row_mac = '0123456789abcdef:x' WHERE activation_id = '{unknown}'",
        f"UPDATE pa_activation SET user_id = 'mallory' WHERE activation_id = '{changed}'",
        "UPDATE pa_activation SET server_private_key_encryption = 0",
    )
    settings = make_settings()
    lines = [
        f"pa_activation: {changed} was written by others",
        f"pa_activation: {unknown} is bound with a master key that is not configured",
    ]
    rotated = await commands.rotate_keys(settings, batch=1)
    assert (rotated.ok, lines[1] in rotated.text) == (False, True)
    encrypted = await commands.encrypt(settings)
    assert (encrypted.ok, [line in encrypted.text for line in lines]) == (False, [True, True])
    accepted = await commands.accept_rows(settings)
    assert (accepted.ok, accepted.text.splitlines()) == (True, lines)
    assert (await commands.accept_rows(settings)).text == "Every row is as the core left it."


async def test_the_record_cannot_be_rewritten(core: Core, start_core: StartCore) -> None:
    await execute(core, "UPDATE master_key_record SET row_binding = 'off'")
    with pytest.raises(MasterKeyRefused, match="was changed by others"):
        await start_core()


@pytest.mark.parametrize(
    "record", ["UPDATE master_key_record SET row_binding = 'off'", "UPDATE master_key_record SET seal = 'x'"]
)
async def test_a_backup_with_rows_of_others_does_not_pass(
    core: Core, api: Api, application: TestApplication, make_settings: MakeSettings, record: str
) -> None:
    made = await api.ok("activation/init", userId="alice", applicationId=application.application_id)
    assert (await commands.check_backup(make_settings(), whole=True)).ok
    unbound = [f"UPDATE {table_of(table)} SET row_mac = NULL" for table in BOUND_TABLES]
    await execute(core, record, *unbound, "UPDATE pa_activation SET user_id = 'mallory'")
    checked = await commands.check_backup(make_settings(), whole=True)
    assert not checked.ok
    assert "was changed by others" in checked.text
    assert made["activationId"] in checked.text


async def test_a_vanished_record_does_not_unbind_rows(core: Core, api: Api, start_core: StartCore) -> None:
    await execute(core, "DELETE FROM master_key_record")
    assert (await start_core()).row_macs.required


async def test_an_empty_database_is_bound_from_its_first_row(core: Core) -> None:
    record = await record_of(core)
    assert record is not None
    assert record.row_binding == RowBinding.COMPLETE
    assert core.row_macs.required


async def test_the_command_binds_what_was_there_before(
    core: Core,
    api: Api,
    application: TestApplication,
    start_core: StartCore,
    serve: Serve,
    make_settings: MakeSettings,
) -> None:
    """While a core goes on, which binds what it adds from then on."""
    started = {"userId": "alice", "applicationId": application.application_id}
    old = (await api.ok("activation/init", **started))["activationId"]
    await forget(core)
    running = await serve()
    between = (await running.ok("activation/init", **started))["activationId"]
    outcome = await commands.encrypt(make_settings())
    assert outcome.ok, outcome.text
    assert "pa_activation: 2 rows bound" in outcome.text
    new = (await running.ok("activation/init", **started))["activationId"]
    await running.ok("activation/remove", activationId=between)
    strict = await start_core()
    assert strict.row_macs.required
    async with strict.database.read() as session:
        rows = {row.activation_id: row.sound for row in await session.scalars(select(Activation))}
    assert rows == {old: True, between: True, new: True}
    again = await commands.encrypt(make_settings())
    assert (again.ok, "pa_activation: 0 rows bound" in again.text) == (True, True)


async def test_rows_of_others_are_named_and_taken_over_only_when_accepted(
    core: Core, api: Api, application: TestApplication, make_settings: MakeSettings
) -> None:
    made = await api.ok("activation/init", userId="alice", applicationId=application.application_id)
    for change in ("row_mac = NULL", "user_id = 'mallory'"):
        await execute(core, f"UPDATE pa_activation SET {change}")
        outcome = await commands.encrypt(make_settings())
        named = f"pa_activation: {made['activationId']} was written by others"
        assert (outcome.ok, named in outcome.text) == (False, True)
        accepted = await commands.accept_rows(make_settings())
        assert (accepted.ok, accepted.text) == (True, named)
        assert (await commands.encrypt(make_settings())).ok
    nothing = await commands.accept_rows(make_settings())
    assert nothing.text == "Every row is as the core left it."


async def test_the_audit_is_verified_without_the_master_key(core: Core, make_settings: MakeSettings) -> None:
    """With the chain's own key, by somebody who can decrypt nothing."""
    keyless = make_settings(master_encryption_key="", audit_chain_key=OTHER_KEY)
    outcome = await commands.verify_audit(keyless, print)
    assert (outcome.ok, "0 findings" in outcome.text) == (True, True)
