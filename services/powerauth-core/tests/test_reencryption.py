"""Encrypting what is stored in clear (D5, D13)."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest
import pytest_asyncio
from core_test_api import Api, Serve, StartCore
from core_test_rows import execute
from sqlalchemy import select, text

from powerauth_contracts.enums import RecoveryCodeStatus, RecoveryPukStatus
from powerauth_core.applications.models import Application
from powerauth_core.container import Core
from powerauth_core.kernel.errors import MasterDbKeyMissing
from powerauth_core.kernel.records import recovery_puk_parts
from powerauth_core.recovery.models import RecoveryCode, RecoveryConfig, RecoveryPuk
from powerauth_core.reencryption import encrypt_stored_secrets
from powerauth_core.schema import metadata
from powerauth_core.secret_columns import SECRET_COLUMNS
from servicekit import clock

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

MASTER_KEY = "MTIzNDU2Nzg5MDEyMzQ1Ng=="
MODE_COLUMNS = {
    f"{table.name}.{column.name}"
    for table in metadata.sorted_tables
    for column in table.columns
    if column.name.endswith("_encryption") or column.name == "encryption_mode"
}


def test_every_encrypted_column_is_covered() -> None:
    covered = {f"{column.mode.class_.__tablename__}.{column.mode.key}" for column in SECRET_COLUMNS}
    assert covered == MODE_COLUMNS


@pytest_asyncio.fixture
async def core(start_core: StartCore) -> Core:
    """A core with a master key on a database that had none, as it starts before the command has run."""
    return await start_core(require_bound_rows=False)


async def fill(serve: Serve, core: Core) -> Api:
    """A clear-text installation with something in most secret columns; its client."""
    await execute(core, text("DELETE FROM master_key_record"))
    api = await serve(master_encryption_key="")
    await api.ok("application/create", applicationId="bank")
    await api.ok("application/config/create", applicationId="bank", key="oauth2_providers", values=[{"a": 1}])
    await api.ok(
        "application/callback/create",
        applicationId="bank",
        name="n",
        type="OPERATION_STATUS_CHANGE",
        callbackUrl="https://bank.example/",
        authentication={"httpBasic": {"enabled": True, "username": "u", "password": "p"}},
    )
    await api.ok("activation/init", userId="user", applicationId="bank")
    async with core.database.transaction() as session:
        rid = (await session.execute(select(Application.id))).scalar_one()
        code = RecoveryCode(
            recovery_code="CODE",
            application_id=rid,
            user_id="user",
            status=RecoveryCodeStatus.ACTIVE,
            timestamp_created=clock.now(),
        )
        session.add(code)
        session.add(RecoveryConfig(application_id=rid))
        await session.flush()
        session.add(
            RecoveryPuk(
                recovery_code_id=code.id, puk="$argon2i$hash", puk_index=1, status=RecoveryPukStatus.VALID
            )
        )
    return api


async def modes(core: Core) -> set[str]:
    found: set[str] = set()
    async with core.database.read() as session:
        for name in MODE_COLUMNS:
            table, column = name.split(".")
            rows = await session.execute(text(f"SELECT {column} FROM {table}"))
            found |= {f"{name}={mode}" for mode in rows.scalars()}
    return found


async def test_all_secrets_are_encrypted_and_still_usable(serve: Serve, core: Core) -> None:
    clear = await fill(serve, core)
    before = await clear.ok("application/detail", applicationId="bank")
    progress = await encrypt_stored_secrets(core)
    assert progress["pa_activation.server_private_key_base64"].encrypted == 1
    assert progress["pa_recovery_puk.puk"].encrypted == 1
    assert not any(done.unreadable for done in progress.values())
    # A recovery configuration without a postcard key has nothing to encrypt.
    assert {mode for mode in await modes(core) if mode.endswith(("=0", "=NO_ENCRYPTION"))} == {
        "pa_recovery_config.postcard_priv_key_encryption=0"
    }
    api = await serve()
    assert await api.ok("application/detail", applicationId="bank") == before
    config = await api.ok("application/config/detail", applicationId="bank")
    assert config["applicationConfigs"][0]["values"] == [{"a": 1}]
    listed = await api.ok("application/callback/list", applicationId="bank")
    assert listed["callbackUrlList"][0]["authentication"]["httpBasic"]["passwordSet"] is True
    assert "tests-rest" in {item["name"] for item in (await api.ok("integration/list"))["items"]}
    async with core.database.read() as session:
        puk = (await session.execute(select(RecoveryPuk))).scalar_one()
        code = (await session.execute(select(RecoveryCode))).scalar_one()
    parts = recovery_puk_parts(code.application_id, "user", "CODE", 1)
    assert core.cipher.decrypt_text(puk.puk_encryption, parts, str(puk.puk)) == "$argon2i$hash"


async def test_a_second_run_finds_nothing(serve: Serve, core: Core) -> None:
    await fill(serve, core)
    await encrypt_stored_secrets(core)
    assert not any(done.encrypted for done in (await encrypt_stored_secrets(core)).values())


async def test_an_unreadable_value_is_counted_and_left(serve: Serve, core: Core) -> None:
    await fill(serve, core)
    await execute(core, text("UPDATE pa_application_version SET application_secret = '!'"))
    progress = await encrypt_stored_secrets(core)
    assert progress["pa_application_version.application_secret"].unreadable == 1
    async with core.database.read() as session:
        rows = await session.execute(text("SELECT application_secret FROM pa_application_version"))
    assert rows.scalars().all() == ["!"]


async def test_without_a_master_key_nothing_is_done(start_core: StartCore) -> None:
    core = await start_core(master_encryption_key="")
    with pytest.raises(MasterDbKeyMissing):
        await encrypt_stored_secrets(core)


async def run_command(database_url: str, *arguments: str) -> tuple[int, str]:
    """Run ``python -m powerauth_core …`` on the test's database; exit status and output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "powerauth_core",
        *arguments,
        env=os.environ | {"CORE_DATABASE_URL": database_url, "CORE_MASTER_ENCRYPTION_KEY": MASTER_KEY},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_the_command_encrypts_and_tells(serve: Serve, core: Core, database_url: str) -> None:
    await fill(serve, core)
    status, output = await run_command(database_url, "encrypt")
    assert status == 0, output
    assert "pa_activation.server_private_key_base64: 1 encrypted, 0 unreadable" in output


async def test_the_command_runs_jobs_and_migrations(database_url: str) -> None:
    assert (await run_command(database_url, "job", "expireUniqueValuesTask"))[0] == 0
    status, output = await run_command(database_url, "job", "expireEverything")
    assert (status, "There is no job expireEverything" in output) == (1, True)
    assert (await run_command(database_url, "migrate"))[0] == 0
    status, output = await run_command(database_url, "check")
    assert (status, "The schema is current" in output) == (0, True)
