"""`powerauth fakes push` by hand: what it prints is enough to send to it, and it prints what phones show."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from fake_senders import send
from typer.testing import CliRunner

from powerauth_cli.fakes.command import APNS_FILE, FCM_FILE, READY
from powerauth_cli.fakes.stack import BUNDLE, HMS_CLIENT, HMS_PROJECT, HMS_SECRET, KEY, PROJECT, TEAM
from powerauth_cli.main import app
from powerauth_push.providers.building import ApnsOptions, Clients, FcmOptions, HmsOptions
from powerauth_push.providers.credentials import apns_key, fcm_account, hms_client
from powerauth_push.providers.network import Route
from powerauth_push.providers.outcomes import SENT


async def test_it_prints_what_phones_show(tmp_path: Path) -> None:
    command = (
        "-m",
        "powerauth_cli",
        "fakes",
        "push",
        "--folder",
        str(tmp_path),
        "--misbehave",
        "empty-data=1",
    )
    process = await asyncio.create_subprocess_exec(sys.executable, *command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    told: dict[str, str] = {}
    while (line := (await process.stdout.readline()).decode().strip()) != READY:
        assert line, "it ended"
        name, _, value = line.partition("=")
        told[name] = value
    route = Route(ca_file=Path(told["PUSH_PROVIDERS_CA_FILE"]))
    clients = Clients(
        ApnsOptions(told["PUSH_APNS_PRODUCTION_URL"], told["PUSH_APNS_DEVELOPMENT_URL"], route=route),
        FcmOptions(told["PUSH_FCM_SEND_MESSAGE_URL"], told["PUSH_FCM_TOKEN_URL"], route=route),
        HmsOptions(told["PUSH_HMS_SEND_MESSAGE_URL"], told["PUSH_HMS_TOKEN_URL"], route=route),
    )
    for client in (
        clients.apns(apns_key(BUNDLE, TEAM, KEY, (tmp_path / APNS_FILE).read_bytes())),
        clients.fcm(fcm_account(PROJECT, (tmp_path / FCM_FILE).read_bytes(), any_token_url=True)),
        clients.hms(hms_client(HMS_PROJECT, HMS_CLIENT, HMS_SECRET)),
    ):
        assert await send(client) == SENT
        assert b"Payment: Approve 100 EUR [badge 1" in await process.stdout.readline()
        await client.close()
    await clients.close()
    process.terminate()
    assert await process.wait() == 0


@pytest.mark.parametrize("fault", ["explode=0.1", "reset", "reset=x", "reset=-1", "reset=0.6"])
def test_faults_that_are_none_are_a_line(fault: str) -> None:
    result = CliRunner().invoke(app, ["fakes", "push", "--misbehave", fault, "--misbehave", "hang=0.5"])
    assert result.exit_code == 2
