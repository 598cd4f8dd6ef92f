"""docs/installing.md from its first command to its last, then docs/operations.md: a phone approves, and the
backup is proved and restored.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from e2e_machine import ADDRESSES, Machine, blocks_of

pytestmark = pytest.mark.deploy
ADDRESS_OF = {
    "https://phones.bank.example": f"http://{ADDRESSES}3:8080",
    "https://cloud.bank.example": f"http://{ADDRESSES}5:8080",
}
"""Without a proxy and certificates in between."""
OPERATORS = (
    "core-database-url",
    "cloud-database-url",
    "push-database-url",
    "core-master-encryption-key",
    "push-master-encryption-key",
)
"""The variables that docs/operations.md takes to be set, by their files."""


def test_the_page_installs_what_works(tmp_path: Path) -> None:
    database, broker = (urlsplit(os.environ[f"TEST_{name}_URL"]) for name in ("POSTGRES", "RABBITMQ"))
    server = f"{database.hostname}:{database.port}"
    administrator = {
        "PGHOST": str(database.hostname),
        "PGPORT": str(database.port),
        "PGUSER": str(database.username),
        "PGDATABASE": "postgres",
    }
    machine = Machine(
        tmp_path,
        network=secrets.randbelow(100) + 100,
        environment=administrator,
        replaced=ADDRESS_OF
        | {
            "127.0.0.1:5432": server,
            "127.0.0.1:5672": f"{broker.hostname}:{broker.port}",
            "runuser -u postgres -- ": "",
        },
    )
    credentials = tmp_path / "etc/powerauth/credentials"
    installing = blocks_of("installing.md")
    try:
        for block in installing:
            said = machine.run(block)
            if "secrets.sh" in block:
                # The broker's user is made by what only root can do.
                (credentials / "bus-url").unlink()
                (credentials / "bus-url").write_text(os.environ["TEST_RABBITMQ_URL"])
            if "smoke" in block:
                assert json.loads(said)["status"] == "APPROVED"
        assert said.count("The schema is current") == 3
        machine.knows(
            {f"{name.replace('-', '_').upper()}_FILE": str(credentials / name) for name in OPERATORS}
        )
        machine.run("powerauth push caller remove cloud\npowerauth push caller remove enrollment")
        for block in blocks_of("operations.md"):
            machine.run(block)
        machine.run("\n".join(re.findall(r"^curl .*$", "".join(installing), re.M)))
        assert set(machine.stop()) == {0}
    finally:
        machine.stop()
