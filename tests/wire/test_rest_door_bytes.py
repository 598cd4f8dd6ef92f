"""Bytes on the wire of ``/rest/v3``, both ways, a call of each kind: those of a release before this one."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cloud_private_api.core_client import CoreClient
from powerauth_contracts.rest.table import CALLS
from powerauth_contracts.wire import JsonReader, ObjectRequest, ObjectResponse
from powerauth_core.kernel.call_routes import answer
from servicekit.calls.client import RawAnswer

RECORDED = json.loads((Path(__file__).parent / "recorded" / "rest_door.json").read_text())
BY_NAME = {call.path.removeprefix("/rest/v3/"): call for call in CALLS}

ID = "57ad0cd4-0ee6-4a39-9a55-3a0a4d3fd0b3"
B16, B32 = "A" * 22 + "==", "A" * 43 + "="
MOMENT = datetime(2024, 10, 24, 7, 39, 50, 123_000)
APPS = ("app-a", "app-b")
ABOUT: dict[str, object] = {"activation_id": ID, "application_ids": APPS}
OPERATION: dict[str, object] = {"operation_id": "op-1", "application_ids": APPS}

ASKED: dict[str, dict[str, object]] = {
    "activation/init": {
        "user_id": "u",
        "application_id": "app-a",
        "activation_otp": "1",
        "commit_phase": "ON_COMMIT",
        "flags": ["F"],
        "timestamp_activation_expire": MOMENT,
    },
    "activation/status": ABOUT,
    "activation/lookup": {
        "user_ids": ["u"],
        "application_ids": APPS,
        "activation_status": "ACTIVE",
        "activation_flags": None,
        "timestamp_last_used_before": MOMENT,
    },
    "activation/commit": {**ABOUT, "activation_otp": "1", "external_user_id": None},
    "activation/flags/create": {**ABOUT, "activation_flags": ["F"]},
    "signature/verify": {
        **ABOUT,
        "application_key": B16,
        "data": "POST&é",
        "signature": "1-2",
        "signature_type": "POSSESSION",
        "signature_version": "3.3",
    },
    "signature/offline/verify": {
        **ABOUT,
        "data": "POST&x",
        "signature": "12345678-12345678",
        "component_length": 8,
        "allow_biometry": True,
        "proximity_check": {"seed": B32, "stepLength": 30, "stepCount": 2},
    },
    "token/validate": {
        "token_id": ID,
        "application_ids": APPS,
        "token_digest": B32,
        "nonce": B16,
        "timestamp": 1_700_000_000_000,
        "protocol_version": "3.3",
    },
    "operation/create": {
        "applications": APPS,
        "application_ids": APPS,
        "template_name": "login",
        "user_id": "u",
        "timestamp_expires": MOMENT,
        "parameters": {"a": "é"},
        "additional_data": {"n": {"a": [1, None]}},
        "proximity_check_enabled": False,
    },
    "operation/list/pending": {
        "user_id": "u",
        "applications": APPS,
        "application_ids": APPS,
        "page_number": 1,
        "page_size": 2,
    },
    "operation/approve/fail": {**OPERATION, "additional_data": {"k": 1.5}},
    "application/detail": {"application_id": "app-a"},
    "application/callback/list": {"application_id": "app-a", "application_ids": ["app-a"]},
    "operation/template/list": {},
}


class Client:
    """Answers with what was recorded, once it was asked as recorded."""

    streams = False

    def __init__(self, name: str, recorded: str) -> None:
        self._expected = (f"/rest/v3/{name}", RECORDED[name]["request"])
        self._recorded = recorded

    async def post_json(self, path: str, body: bytes) -> RawAnswer:
        assert (path, body.decode()) == self._expected
        return RawAnswer(200, self._recorded.encode(), {})


@pytest.mark.parametrize("name", RECORDED)
async def test_a_call_is_written_and_its_answers_read_as_before(name: str) -> None:
    call = BY_NAME[name]
    for recorded in RECORDED[name]["answers"]:
        client: Any = Client(name, recorded)
        found = await CoreClient(client).ask(call, **ASKED[name])
        assert bytes(answer(found).body).decode() == recorded
    if ASKED[name]:
        read = JsonReader(ObjectRequest[call.request])  # type: ignore[name-defined]
        read(RECORDED[name]["request"].encode())


def test_a_newer_core_may_know_more() -> None:
    call = BY_NAME["signature/verify"]
    read = JsonReader(ObjectResponse[call.answer])  # type: ignore[name-defined]
    newer = (
        RECORDED["signature/verify"]["answers"][1]
        .replace('"ACTIVE"', '"RESTING"')
        .replace("}}", ',"new":1}}')
    )
    assert read(newer.encode()).response_object.activation_status == "RESTING"
