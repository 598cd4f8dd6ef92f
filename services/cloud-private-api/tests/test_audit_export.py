"""This service's own audit log for other systems, by command and as a stream (docs/audit.md).

What the core proves of order, schemas and receivers is not repeated: it is the same code.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cloud_client import Client, Service, Start

from cloud_private_api import commands
from cloud_private_api.app import export_jobs
from servicekit.audit_export.formats import Format
from servicekit.jobs import JobRunner
from servicekit.testing import DIALECTS

pytestmark = pytest.mark.parametrize("dialect", DIALECTS, indirect=True)


async def exported(service: Service, **options: Any) -> tuple[list[Any], str]:
    """The lines of the command, and what it says at the end."""
    lines: list[str] = []
    outcome = await commands.export_audit(service.cloud.settings, lines.append, **options)
    assert outcome.ok, outcome.text
    return [json.loads(line) for line in lines], outcome.text


async def test_an_administrators_changes_are_exported_behind_the_cursor(
    admin: Client, service: Service
) -> None:
    made = await admin.ok("POST", "/admin/users", {"username": "bob"})
    (line,), cursor = await exported(service, chosen=Format.ECS)
    assert (line["event"]["category"], line["service"]["name"]) == (["api"], "powerauth-cloud")
    assert line["powerauth"]["caller"] == "admin"
    assert "bob" in json.dumps(line)
    assert made["password"] not in json.dumps(line)
    last = line["event"]["sequence"]
    assert cursor == f"cursor {last}"
    await admin.send("DELETE", "/admin/users/bob")
    (later,), _ = await exported(service, chosen=Format.OCSF, cursor=last)
    assert later["metadata"]["sequence"] > last
    assert later["metadata"]["product"]["name"] == "powerauth-cloud"


async def test_the_stream_sends_each_record_once(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    service = await start(audit_export_url=f"file://{file}", job_audit_export_ms=3_600_000)
    admin = await service.user("admin", roles=["ROLE_ADMIN"])
    jobs = JobRunner(service.cloud.database, export_jobs(service.cloud))
    for username in ("bob", "carol"):
        await admin.ok("POST", "/admin/users", {"username": username})
        assert await jobs.run_once("audit-export")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["powerauth"]["username"] for line in lines] == ["bob", "carol"]


async def test_without_a_target_there_is_no_stream(service: Service) -> None:
    assert export_jobs(service.cloud) == []
