"""The audit log for other systems: order, resuming, schemas, what arrives at a receiver (docs/audit.md)."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from core_test_api import StartCore
from core_test_audit import BODY, Audit
from core_test_phones import MakePhone
from sqlalchemy import text

from powerauth_contracts.enums import AuditLevel
from powerauth_core import commands, jobs
from powerauth_core.audit import service as log
from powerauth_core.audit.rules import AuditType
from powerauth_core.container import Core
from servicekit.audit_export.feed import AuditFeed
from servicekit.audit_export.formats import Format
from servicekit.authority import Authority
from servicekit.tls.contexts import load_authorities

SIGNED = BODY.decode()
ECS_REQUIRED = {
    "@timestamp": str,
    "ecs.version": str,
    "message": str,
    "event.kind": str,
    "event.category": list,
    "event.type": list,
    "event.outcome": str,
    "event.action": str,
    "event.id": str,
    "event.sequence": int,
}
ECS_ALLOWED = {
    "event.kind": {"event"},
    "event.category": {"authentication", "iam", "api"},
    "event.type": {"start", "user", "creation", "deletion", "change"},
    "event.outcome": {"success", "failure"},
}
OCSF_REQUIRED = {
    "class_uid": int,
    "category_uid": int,
    "activity_id": int,
    "type_uid": int,
    "severity_id": int,
    "time": int,
    "metadata.version": str,
    "metadata.product.vendor_name": str,
    "metadata.sequence": int,
}
OCSF_CLASSES = {
    3001: ({1, 2, 6, 9, 99}, ("user.uid",)),
    3002: ({1, 99}, ("user.uid", "service.name")),
    6003: ({1, 2, 3, 4, 99}, ("actor", "api.operation", "src_endpoint")),
}


def member(line: dict[str, Any], path: str) -> Any:
    if path == "@timestamp":
        return line[path]
    found: Any = line
    for name in path.split("."):
        found = found[name]
    return found


def check_ecs(line: dict[str, Any]) -> None:
    for path, kind in ECS_REQUIRED.items():
        assert isinstance(member(line, path), kind), path
    for path, allowed in ECS_ALLOWED.items():
        value = member(line, path)
        assert set(value if isinstance(value, list) else [value]) <= allowed
    assert datetime.fromisoformat(line["@timestamp"]).utcoffset() == timedelta(0)


def check_ocsf(line: dict[str, Any]) -> None:
    for path, kind in OCSF_REQUIRED.items():
        assert isinstance(member(line, path), kind), path
    activities, needed = OCSF_CLASSES[line["class_uid"]]
    assert line["activity_id"] in activities
    assert line["category_uid"] == line["class_uid"] // 1000
    assert line["type_uid"] == line["class_uid"] * 100 + line["activity_id"]
    assert line["severity_id"] in range(7)
    for path in needed:
        assert member(line, path)


CHECKS = {Format.ECS: check_ecs, Format.OCSF: check_ocsf}


async def exported(core: Core, chosen: Format = Format.ECS, **options: Any) -> tuple[list[Any], str]:
    lines: list[str] = []
    outcome = await commands.export_audit(core.settings, lines.append, chosen=chosen, **options)
    assert outcome.ok, outcome.text
    return [json.loads(line) for line in lines], outcome.text


async def write(core: Core, *messages: str, **options: Any) -> None:
    for message in messages:
        async with core.database.transaction() as session:
            await log.record(session, AuditType.APPLICATION, message, options, "alice", AuditLevel.WARN)


def messages_of(lines: list[Any]) -> list[str]:
    return [line["message"] for line in lines]


@pytest.mark.dialects("sqlite", "postgresql")
async def test_what_is_exported_is_of_the_schema_and_tells_no_secret(
    core: Core, audit: Audit, make_phone: MakePhone
) -> None:
    phone = await make_phone()
    assert await audit.signed_by(phone)
    await write(core, "Application changed", applicationId="bank", secret="s3cret", note="ž")
    for chosen, check in CHECKS.items():
        lines, _ = await exported(core, chosen)
        for line in lines:
            check(line)
        text_of_all = json.dumps(lines)
        assert phone.activation_id in text_of_all
        for hidden in ("s3cret", SIGNED, "signatureDataBody", '"data"', '"signature":', "counter"):
            assert hidden not in text_of_all
    lines, _ = await exported(core)
    [check_of_code] = [line for line in lines if line["event"]["category"] == ["authentication"]]
    assert check_of_code["event"]["outcome"] == "success"
    assert check_of_code["powerauth"]["applicationId"]
    assert lines[-1]["powerauth"] == {"applicationId": "bank", "note": "ž"}


@pytest.mark.dialects("sqlite", "postgresql")
async def test_an_export_goes_on_behind_its_cursor(core: Core) -> None:
    await write(core, "one", "two")
    lines, cursor = await exported(core)
    assert messages_of(lines) == ["one", "two"]
    assert cursor == f"cursor {lines[-1]['event']['sequence']}"
    await write(core, "three")
    last = lines[-1]["event"]["sequence"]
    assert messages_of((await exported(core, cursor=last))[0]) == ["three"]
    outcome = await commands.export_audit(
        core.settings, lambda _: None, chosen=Format.ECS, cursor=last + 1_000
    )
    assert (outcome.ok, "behind the end" in outcome.text) == (False, True)


async def test_since_a_moment_begins_with_records_that_have_no_place(core: Core) -> None:
    await write(core, "old", "new", "newest")
    async with core.database.transaction() as session:
        await session.execute(text("UPDATE audit_log SET seq = NULL WHERE message = 'old'"))
    lines, _ = await exported(core, since=datetime(2026, 1, 1))
    assert messages_of(lines) == ["old", "new", "newest"]
    assert messages_of((await exported(core))[0]) == ["new", "newest"]
    assert messages_of((await exported(core, since=datetime(2126, 1, 1)))[0]) == []


async def test_a_record_that_is_committed_late_is_not_passed_over(core: Core) -> None:
    """The later number is seen first: who reads has to wait for the earlier one."""
    feed = AuditFeed(core.database)
    async with core.database.transaction() as session:
        await log.record(session, AuditType.APPLICATION, "late", {}, None)
        await session.flush()
        await write(core, "early")
        waiting = asyncio.create_task(feed.settled())
        # A look of its own shows that it has begun to wait: nothing has a time to be right.
        assert await asyncio.wait({waiting}, timeout=0.2) == (set(), {waiting})
    found = await feed.page(0, await waiting, 10)
    assert [record.message for record in found] == ["late", "early"]


class Receiver:
    """Syslog over TLS: takes what one connection after another sends, and closes as the protocol says."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.frames: list[bytes] = []
        self.breaks = 0
        self.last_word = True
        self._context = context
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            with plain:
                try:
                    self._take(plain)
                except OSError:
                    continue

    def _take(self, plain: socket.socket) -> None:
        with self._context.wrap_socket(plain, server_side=True) as connection:
            if self.breaks:
                self.breaks -= 1
                while connection.recv(10) and not self.breaks:
                    pass
                return  # with bytes that nobody has read, at last without a word about them
            received = b""
            while more := connection.recv(65_536):
                received += more
            while received:
                length, _, rest = received.partition(b" ")
                self.frames.append(rest[: int(length)])
                received = rest[int(length) :]
            if self.last_word:
                connection.unwrap()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority = Authority(tmp_path)
    authority.issue("receiver").load_pair(context)
    load_authorities(context, authority.ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.issue("core")
    made = Receiver(context)
    yield made
    made.close()


def stream_settings(tmp_path: Path, receiver: Receiver) -> dict[str, Any]:
    return {
        "audit_export_url": f"syslog+tls://127.0.0.1:{receiver.port}",
        "audit_export_format": "ocsf",
        "audit_export_ca_path": tmp_path / "authority.ca.pem",
        "audit_export_certificate_path": tmp_path / "core.crt",
        "audit_export_key_path": tmp_path / "core.key",
        "audit_export_batch": 2,
        "job_audit_export_ms": 0,
    }


async def test_a_receiver_has_every_record_after_it_was_away(
    start_core: StartCore, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = await start_core(**stream_settings(tmp_path, receiver))
    monkeypatch.setattr("servicekit.audit_export.stream._FIRST_PAUSE_SECONDS", 0.0)
    receiver.breaks = 2
    await write(core, *[f"{number}" for number in range(5)])
    for _ in range(2):
        assert await jobs.run_job(core, "exportAudit")
        assert receiver.frames == []
    assert await jobs.run_job(core, "exportAudit")
    assert await jobs.run_job(core, "exportAudit")  # nothing is left
    heads, lines = zip(*[frame.split(b" - ", 1) for frame in receiver.frames], strict=True)
    assert messages_of([json.loads(line) for line in lines]) == ["0", "1", "2", "3", "4"]
    for line in lines:
        check_ocsf(json.loads(line))
    priority, moment, _host, service, _process, kind = heads[0].decode().split(" ")
    assert (priority, service, kind) == ("<108>1", "powerauth-core", "application")
    assert datetime.fromisoformat(moment)
    # Another process goes on where this one was, and waits after a failure.
    other = await start_core(**stream_settings(tmp_path, receiver))
    await write(other, "5")
    assert await jobs.run_job(other, "exportAudit")
    assert len(receiver.frames) == 6


async def test_a_receiver_that_never_ends_tls_has_every_record_once_where_that_is_known(
    start_core: StartCore, receiver: Receiver, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.last_word = False
    strict = await start_core(**stream_settings(tmp_path, receiver))
    await write(strict, "0", "1", "2")
    assert await jobs.run_job(strict, "exportAudit")
    assert "AUDIT_EXPORT_CLOSE_NOTIFY=false" in capsys.readouterr().out
    receiver.frames.clear()
    core = await start_core(**stream_settings(tmp_path, receiver), audit_export_close_notify=False)
    assert await jobs.run_job(core, "exportAudit")
    assert len(receiver.frames) == 3


async def test_a_file_may_be_rotated_and_half_a_line_is_closed(start_core: StartCore, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    file.write_bytes(b'{"half')
    core = await start_core(audit_export_url=f"file://{file}", job_audit_export_ms=0)
    await write(core, "one")
    assert await jobs.run_job(core, "exportAudit")
    file.rename(tmp_path / "audit.jsonl.1")
    await write(core, "two")
    assert await jobs.run_job(core, "exportAudit")
    half, one = (tmp_path / "audit.jsonl.1").read_text().splitlines()
    assert (half, json.loads(one)["message"]) == ('{"half', "one")
    assert [json.loads(line)["message"] for line in file.read_text().splitlines()] == ["two"]
    assert file.stat().st_mode & 0o077 == 0
