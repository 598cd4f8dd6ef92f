"""What one node looks at for all, and what an operator does (spec/device-trust.md §4.11, §9.3)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from core_test_api import MakeSettings, Serve, StartCore
from core_test_metadata import Publisher, entry, known_by
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from powerauth_contracts.rest import mds
from powerauth_core import jobs, metadata_commands
from powerauth_core.audit.models import AuditLog
from powerauth_core.container import Core
from powerauth_core.fido_metadata import service
from powerauth_core.passkeys.metadata.blob import LIMIT
from powerauth_core.settings import CoreSettings
from powerauth_sdk.authenticator.device import TEST_MODEL
from servicekit.serving import BackgroundServer

OURS = Publisher()
LATER = "2050-01-01"


def blob(no: int = 1, next_update: str = LATER) -> bytes:
    return OURS.sign([entry(TEST_MODEL)], no, next_update)


async def told(core: Core) -> list[tuple[str, dict[str, Any]]]:
    async with core.database.read() as session:
        asked = select(AuditLog).where(AuditLog.audit_type == "fido2").order_by(AuditLog.timestamp_created)
        return [(row.message, json.loads(row.param or "{}")) for row in await session.scalars(asked)]


async def watch(core: Core) -> None:
    assert await jobs.run_job(core, jobs.WATCH_PASSKEY_FILES)


async def test_a_watched_blob_is_taken_and_a_bad_one_leaves_it(start_core: StartCore, tmp_path: Path) -> None:
    file = tmp_path / "blob.jwt"
    core = await start_core(**known_by(OURS, tmp_path, "FILE"), mds_file=file)
    await watch(core)
    assert core.fido_metadata.number is None
    file.write_bytes(blob(4))
    await watch(core)
    for content in (blob(4)[:-8], blob(3)):
        file.write_bytes(content)
        await watch(core)
        await watch(core)
    assert core.fido_metadata.number == 4
    assert [name for name, _ in await told(core)] == ["mds.loaded", "mds.rejected", "mds.rejected"]


async def test_a_watched_blob_is_in_force_when_the_core_is(start_core: StartCore, tmp_path: Path) -> None:
    file = tmp_path / "blob.jwt"
    file.write_bytes(blob(6))
    core = await start_core(**known_by(OURS, tmp_path, "FILE"), mds_file=file, jobs_enabled=True)
    assert core.fido_metadata.number == 6


async def test_changes_of_data_files_are_told_once(start_core: StartCore, tmp_path: Path) -> None:
    known = tmp_path / "known.json"
    known.write_text("[]")
    core = await start_core(passkey_known_synced_file=known)
    await watch(core)
    await watch(core)
    known.write_text("[ ]")
    await watch(core)
    (first, second) = [params for name, params in await told(core) if name == "passkey.datafile.changed"]
    assert (first["file"], first["oldSha256"]) == ("knownSyncedFile", None)
    assert first["newSha256"] == second["oldSha256"] != second["newSha256"]


async def test_fi_16_age_is_told_once_and_health_says_so(serve: Serve, tmp_path: Path) -> None:
    file = tmp_path / "blob.jwt"
    file.write_bytes(blob(1, "2020-01-01"))
    api = await serve(**known_by(OURS, tmp_path, "FILE"), mds_file=file, health_cache_seconds=0)
    core = api._http._transport.app.state.core  # type: ignore[attr-defined]
    health = await api.send("/actuator/health", b"", method="GET")
    assert health.json() == {"status": "UP"}
    for _ in range(2):
        await watch(core)
    health = await api.send("/actuator/health", b"", method="GET")
    assert (health.status_code, health.json()) == (200, {"status": "DEGRADED"})
    stale = [params for name, params in await told(core) if name == "mds.stale"]
    assert stale == [{"no": 1, "nextUpdate": "2020-01-01", "state": "UNUSABLE"}]
    assert (await api.ok("mds/status"))["state"] == "UNUSABLE"


class Web:
    """Gives what a test wants."""

    def __init__(self) -> None:
        self.answer = Response(b"")

    async def serve(self, _request: Request) -> Response:
        return self.answer


@pytest_asyncio.fixture
async def web() -> AsyncIterator[tuple[Web, str]]:
    made = Web()
    async with BackgroundServer(Starlette(routes=[Route("/", made.serve)])) as server:
        yield made, server.url + "/"


async def test_a_download_goes_through_the_guarded_egress(
    make_settings: MakeSettings, tmp_path: Path, web: tuple[Web, str]
) -> None:
    served, url = web
    settings = make_settings(**known_by(OURS, tmp_path, "HTTP"), mds_url=url)
    served.answer = Response(blob(5) + b"\n")
    done = await metadata_commands.download(settings)
    assert done.ok
    assert done.text.startswith("no. 5 is in force until 2050-01-01: 1 models, 1 new")
    served.answer = Response(blob(4))
    refused = await metadata_commands.download(settings)
    assert (refused.ok, refused.text.split(":")[0]) == (False, "MDS_ROLLBACK")
    for answer in (Response(status_code=503), Response(status_code=302, headers={"location": url})):
        served.answer = answer
        assert not (await metadata_commands.download(settings)).ok
    guarded = settings.model_copy(update={"egress_allowed_networks": ()})
    assert "CORE_EGRESS_ALLOWED_NETWORKS" in (await metadata_commands.download(guarded)).text


async def test_what_an_operator_does(make_settings: MakeSettings, tmp_path: Path) -> None:
    settings = make_settings(**known_by(OURS, tmp_path))
    file = tmp_path / "blob.jwt"
    assert not (await metadata_commands.load(settings, file)).ok
    file.write_bytes(blob(2))
    assert (await metadata_commands.load(settings, file)).ok
    status = await metadata_commands.status(settings)
    assert status.ok
    assert "no. 2, next update 2050-01-01, 1 models" in status.text
    entries = await metadata_commands.entries(settings, str(TEST_MODEL))
    assert json.loads(entries.text)["aaguid"] == str(TEST_MODEL)
    assert not (await metadata_commands.entries(settings, "unknown")).ok
    run = await metadata_commands.revalidate(settings, force=False)
    assert (run.ok, run.text[17:]) == (
        True,
        "passkeys looked at: DONE, 0 checked, 0 lost their trust, 0 have it back",
    )
    off = make_settings()
    assert not (await metadata_commands.load(off, file)).ok
    assert not (await metadata_commands.download(off)).ok


def test_the_path_of_uploads_takes_the_largest_blob() -> None:
    assert CoreSettings.larger_bodies[mds.LOAD.path] > mds.MOST_BYTES == service.MOST_BYTES == LIMIT


@pytest.mark.parametrize("value", ["3:30", "24:00", "03:60", "0 3 * * *"])
def test_the_time_of_the_daily_look_is_one(make_settings: MakeSettings, value: str) -> None:
    with pytest.raises(ValueError, match="passkey_revalidation_at"):
        make_settings(passkey_revalidation_at=value)
