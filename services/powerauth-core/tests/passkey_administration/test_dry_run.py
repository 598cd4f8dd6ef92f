"""What other data files would take (spec/device-trust.md §4.6)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from core_test_api import Api, TestApplication
from core_test_passkey_rows import ORIGIN, RP, SECURITY_KEY, store_passkey

from powerauth_core import passkey_commands
from powerauth_core.container import Core

POLICY = {"rpId": RP, "rpWebOrigins": [ORIGIN], "allowSyncedPasskeys": False}
ROW = {"aaguid": SECURITY_KEY, "name": "Key", "since": None, "until": None, "source": "https://example"}


def written(file: Path, content: Any) -> Path:
    file.write_text(json.dumps(content), encoding="utf-8")
    return file


async def say(core: Core, file: Path) -> tuple[bool, str]:
    outcome = await passkey_commands.impact(core.settings, known_synced=file, roots=None)
    return outcome.ok, outcome.text


async def test_a_list_is_tried_before_it_is_in_force(
    core: Core, api: Api, application: TestApplication, tmp_path: Path
) -> None:
    listed, empty = written(tmp_path / "listed.json", [ROW]), written(tmp_path / "empty.json", [])
    assert (await say(core, listed))[1].startswith("No application has a passkey policy")
    name = application.application_id
    await api.ok("passkey/policy/update", applicationId=name, policy=POLICY)
    await store_passkey(core, name, "anna")
    await store_passkey(core, name, "bert", aaguid="0" * 8 + SECURITY_KEY[8:])
    said = f"{name}: 1 of 2 passkeys would stop, of 1 users, 1 locked out (PASSKEY_SYNCED_NOT_ALLOWED 1)"
    assert await say(core, listed) == (True, said)
    said = f"{name}: 0 of 2 passkeys would stop, of 0 users, 0 locked out"
    assert await say(core, empty) == (True, said)
    broken = written(tmp_path / "broken.json", "no list")
    assert await say(core, broken) == (False, "Not usable: knownSyncedFile")
    passkeys = (await api.ok("passkey/list", userId="anna"))["passkeys"]
    assert passkeys[0]["blockedByPolicy"] is None


async def test_a_root_that_would_go_takes_whom_it_vouches_for(
    core: Core,
    api: Api,
    application: TestApplication,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(type(core.fido_metadata), "number", 1)
    name = application.application_id
    policy = POLICY | {"allowSyncedPasskeys": True, "mdsMode": "enforce"}
    await api.ok("passkey/policy/update", applicationId=name, policy=policy)
    await store_passkey(core, name, "anna", attTrust="LOCAL", attAnchor="google-hw-rsa")
    await store_passkey(core, name, "bert", attTrust="LOCAL", attAnchor="gone", attVouched=True)
    changed = {"localRoots": ["google-hw-rsa", "gone"]}
    monkeypatch.setattr(type(core.fido_metadata), "root_names", frozenset(changed["localRoots"]))
    await api.ok("passkey/policy/update", applicationId=name, policy=policy | changed)
    outcome = await passkey_commands.impact(core.settings, known_synced=None, roots=None)
    assert outcome.text.endswith("of 1 users, 1 locked out (PASSKEY_ATTESTATION_REVOKED 1)")
