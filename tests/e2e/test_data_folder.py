"""`powerauth run`: what its folder keeps, and what it is not for."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import httpx2
import pytest
from e2e_commands import powerauth, told

from powerauth_cli.all_in_one import PUSH, AllInOne, Providers
from powerauth_cli.data_folder import FAKE_PROVIDERS, Secrets, push_values
from powerauth_cli.demo.bank import Bank
from powerauth_cli.fakes.phones import FAKE_PHONES
from powerauth_cli.push_api import PushApi, new_caller
from powerauth_core.integrations.service import Credentials
from powerauth_push.callers import service as push_callers
from servicekit.serving import free_port

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("host", "settings", "limited"),
    [
        ("127.0.0.1", {}, False),
        ("localhost", {}, False),
        ("0.0.0.0", {}, True),
        ("127.0.0.1", {"limit_loopback": True}, True),
    ],
)
def test_on_loopback_the_all_in_one_limits_nobody(
    tmp_path: Path, host: str, settings: dict[str, object], limited: bool
) -> None:
    stack = AllInOne(tmp_path, host=host, settings={"enrollment": settings})
    at_core, at_push = Credentials("token", "secret"), push_callers.Credentials("token", "secret")
    assert stack._enrollment_settings(at_core, at_push).limit_loopback is limited


def test_the_all_in_one_is_not_for_production(tmp_path: Path) -> None:
    for service in ("CORE", "CLOUD", "ENROLLMENT", "PUSH"):
        data = tmp_path / "data"
        lines = told(
            powerauth("run", "--port", 0, "--data", data, **{f"{service}_ENVIRONMENT": "production"}), 78
        )
        assert all(line.startswith(f"{service}_") for line in lines), "no password either"
        assert list(tmp_path.iterdir()) == [], "nothing was made"


@pytest.mark.parametrize("damage", ['{"master', "[]", '{"other": 1}'])
def test_a_data_folder_that_cannot_be_used_is_a_line(tmp_path: Path, damage: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "lost").mkdir()
    (tmp_path / "lost" / "core.sqlite3").touch()
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "secrets.json").write_text(damage)
    for name, reason in (
        ("file", "file"),
        ("file/below", "file"),
        ("lost", "secrets.json is missing"),
        ("damaged", "secrets.json is damaged"),
    ):
        (line,) = told(powerauth("run", "--port", 0, "--data", tmp_path / name), 78)
        assert line.startswith(f"--data: {tmp_path}")
        assert reason in line
    assert [path.name for path in (tmp_path / "lost").iterdir()] == ["core.sqlite3"]


async def test_the_data_folder_outlives_the_process(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    async with AllInOne(folder, port=0) as first:
        admin = first.admin
        bank = Bank(first.cloud_url, *admin)
        created = await bank.call("POST", "/admin/applications", {"id": "kept"})
        await bank.close()
        assert first.fakes is not None
        key = first.fakes.apns_key
        assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
        assert len(list(folder.iterdir())) > 3, "with what SQLite puts beside a database"
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    (folder / "core.sqlite3").chmod(0o644)
    async with AllInOne(folder, port=0) as second:
        assert second.first_password is None, "the password is told at the first run only"
        assert second.fakes is not None
        assert second.fakes.apns_key == key, "what applications have stored is still accepted"
        bank = Bank(second.cloud_url, *admin)
        assert await bank.call("GET", "/admin/applications/kept") == created
        await bank.close()
        modes = {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())}
        assert modes == {0}, "what was open is closed"


async def test_new_keys_of_the_fake_providers_reach_applications_that_have_old_ones(tmp_path: Path) -> None:
    async with AllInOne(tmp_path, port=0) as first:
        assert first.equipment is not None
        assert first.fakes is not None
        for name in ("kept", "own"):
            await first.equipment.equip(name)
        credentials = await new_caller("tests", **push_values(tmp_path, Secrets.of(tmp_path)[0]))
        push = PushApi(first.push_url, credentials)
        apns = first.fakes.credentials()["apns"] | {"appId": "own", "bundle": "com.example.own"}
        await push.call("PUT", "/admin/app/apns", apns)
        await push.close()
    (tmp_path / FAKE_PROVIDERS).unlink()
    async with AllInOne(tmp_path, port=0) as second:
        push = PushApi(second.push_url, credentials)
        for platform, token in (("apns", "ab" * 32), ("fcm", "token")):
            device = {"appId": "kept", "token": token, "platform": platform, "activationId": platform}
            whose = {"userId": "user-1", "activationStatus": "ACTIVE"}
            await push.call("POST", "/push/device/create", device | whose)
        message = {"userId": "user-1", "body": {"title": "Hello"}}
        sent = await push.call("POST", "/push/message/send", {"appId": "kept", "message": message})
        assert (sent["apns"]["sent"], sent["fcm"]["sent"]) == (1, 1)
        own = await push.call("POST", "/admin/app/detail", {"appId": "own", "includeApns": True})
        assert own["apnsBundle"] == "com.example.own"
        await push.close()


async def test_real_providers_are_not_played(tmp_path: Path) -> None:
    assert "neither fake nor real" in powerauth("run", "--push-providers", "nobody").stderr
    async with AllInOne(tmp_path / "data", port=0, providers=Providers.REAL) as stack:
        assert stack.fakes is None
        async with httpx2.AsyncClient() as http:
            url = stack.push_url.removesuffix(PUSH) + FAKE_PHONES
            assert (await http.get(f"{url}/token")).status_code == 404


async def test_operators_are_not_told_that_a_service_is_ready_before_its_port_is_open(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{(port := free_port())}/actuator/health/readiness"
    settings = {"core": {"management_port": port}}
    stack = AllInOne(tmp_path / "data", port=0, settings=settings, providers=Providers.REAL)
    starting, statuses = asyncio.create_task(stack.__aenter__()), list[int]()
    async with contextlib.AsyncExitStack() as ending, httpx2.AsyncClient() as http:
        while not starting.done():
            with contextlib.suppress(httpx2.TransportError):
                statuses.append((await http.get(url)).status_code)
        ending.push_async_exit(await starting)
        statuses.append((await http.get(url)).status_code)
    assert (statuses[0], statuses[-1]) == (503, 200)
