"""Other clients than Chromium: the page's module before an authenticator and a browser of somebody else's
making (spec/device-trust.md §4.12), and `powerauth device passkey`.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest
from browser_site import Bank
from typer.testing import CliRunner

from powerauth_cli.device import app
from powerauth_cli.localservers.programs import find_or_install

FOLDER = Path(__file__).parent / "emulator"
AAGUID = "4e49442d-4155-5448-2d33-313431353932"
PRINTED = re.compile(r"^\{\n.*?^\}$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def node() -> Path:
    """Node.js; the emulator is installed beside its script when it is missing."""
    program = find_or_install("node", (), apt_package="nodejs", brew_package="node")
    if not (FOLDER / "node_modules").exists():
        npm = find_or_install("npm", (), apt_package="npm", brew_package="node")
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=FOLDER, check=True, capture_output=True)
    return program


async def test_somebody_elses_authenticator_registers_and_signs_in(bank: Bank, node: Path) -> None:
    arguments = (bank.origin, bank.application_id, "emulated", await bank.ticket("emulated"))
    process = await asyncio.create_subprocess_exec(
        node, FOLDER / "judge.js", *arguments, stdout=PIPE, stderr=PIPE
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    said: dict[str, Any] = json.loads(output)
    assert said["capabilities"] == {"passkeys": True, "platform": False, "conditional": False}
    assert (said["registered"]["aaguid"], said["registered"]["passkeyType"]) == (AAGUID, "SYNCED")
    for way in ("named", "unnamed"):
        assert said[way]["token_type"] == "Bearer"
    assert said["refused"] == {"code": "TICKET_NOT_FOUND", "status": 404}


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
