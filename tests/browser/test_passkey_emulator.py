"""The module before an authenticator and a browser of somebody else's making (spec/device-trust.md §4.12)."""

from __future__ import annotations

import asyncio
import json
import subprocess
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest
from browser_site import Bank

from powerauth_cli.localservers.programs import find_or_install

FOLDER = Path(__file__).parent / "emulator"
AAGUID = "4e49442d-4155-5448-2d33-313431353932"


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
