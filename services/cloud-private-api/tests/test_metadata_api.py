"""Metadata of authenticators by the private API (spec/device-trust.md §4.11)."""

from __future__ import annotations

import httpx2
import pytest
from cloud_client import Client

BLOB = b"aaaa.bbbb.cccc"
JOSE = {"Content-Type": "application/jose"}


async def load(
    client: Client, blob: bytes = BLOB, query: str = "", headers: dict[str, str] | None = None
) -> httpx2.Response:
    return await client.http.post(f"/admin/mds{query}", content=blob, headers=JOSE | (headers or {}))


async def test_a_blob_is_the_body_itself(admin: Client) -> None:
    loaded = await load(admin, BLOB + b"\n")
    assert loaded.status_code == 200
    assert (loaded.json()["no"], loaded.json()["added"], "impact" in loaded.json()) == (7, 1, False)
    assert admin.core.last("mds/load") == {"blob": BLOB.decode(), "loadedBy": "admin", "dryRun": False}
    tried = await load(admin, query="?dryRun=true")
    assert tried.json()["impact"]["usersAffected"] == 1


@pytest.mark.parametrize(
    ("blob", "status", "code", "reason"),
    [
        (b"forged", 400, "MDS_INVALID", "SIGNATURE"),
        (b"", 400, "MDS_INVALID", "FORM"),
        (b"\xff", 400, "MDS_INVALID", "FORM"),
        (b"old", 409, "MDS_ROLLBACK", None),
    ],
)
async def test_what_is_not_taken(
    admin: Client, blob: bytes, status: int, code: str, reason: str | None
) -> None:
    answer = await load(admin, blob)
    told = answer.json()["responseObject"]
    assert (answer.status_code, told["code"], told.get("reason")) == (status, code, reason)


async def test_only_an_administrator_may_and_only_so_much_of_the_right_kind(
    admin: Client, bank: Client
) -> None:
    assert (await load(bank)).status_code == 403
    assert (await load(admin, headers={"Content-Type": "application/json"})).status_code == 415
    huge = await load(admin, headers={"Content-Length": str(32 * 2**20 + 1)})
    assert huge.status_code == 413
    assert (await load(admin, b"x" * (2 * 2**20))).status_code == 200


async def test_what_is_in_force_is_told(admin: Client) -> None:
    status = await admin.ok("GET", "/admin/mds")
    assert status["state"] == "NONE"
    assert status["history"][0]["timestampLoaded"] == 1_796_040_000_000
    found = await admin.ok("GET", "/admin/mds/entries", aaguid="a")
    assert found == {"entries": [{"aaguid": "a"}]}
    assert await admin.ok("GET", "/admin/mds/entries") == {"entries": [{"aaguid": None}]}
