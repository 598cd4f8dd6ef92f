"""`powerauth device passkey` against the running services: a browser without a browser."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from browser_site import Bank
from typer.testing import CliRunner

from powerauth_cli.device import app

PRINTED = re.compile(r"^\{\n.*?^\}$", re.MULTILINE | re.DOTALL)


async def device(state: Path, *arguments: str) -> Any:
    """What a command of the simulated phone prints."""
    given = [*arguments, "--state", str(state)]
    done = await asyncio.to_thread(CliRunner().invoke, app, given, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    printed = PRINTED.search(done.stdout)  # among the lines that the services log meanwhile
    return None if printed is None else json.loads(printed[0])


async def test_a_passkey_is_registered_signs_in_approves_and_registers_another(
    bank: Bank, tmp_path: Path
) -> None:
    state = tmp_path / "device.json"
    url = f"{bank.origin}/enrollment-server"
    await device(state, "configure", "--url", url, "--sdk-config", await bank.sdk_config())
    place = ("--application", bank.application_id, "--origin", bank.origin)
    registered = await device(state, "passkey", "register", *place, "--ticket", await bank.ticket("cli-user"))
    assert registered["passkeyType"] == "DEVICE_BOUND"
    tokens = await device(state, "passkey", "sign-in", "--scope", "openid passkey:register")
    assert tokens["token_type"] == "Bearer"
    operation_id = await bank.operation("cli-user")
    assert await device(state, "passkey", "approve", operation_id) == {
        "operationId": operation_id,
        "operationStatus": "APPROVED",
    }
    another = await device(state, "passkey", "register", "--name", "Second")
    assert another["activationId"] != registered["activationId"]
    assert (await device(state, "passkey", "sign-in", "--user", "cli-user"))["token_type"] == "Bearer"
