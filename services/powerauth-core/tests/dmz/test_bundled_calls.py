"""Several calls of the door in one request are judged and answered each for itself (servicekit.bundles)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from powerauth_core.edge.hot_calls import HOT_CALLS
from powerauth_core.edge.lean import DOOR
from powerauth_protocol.common.encoding import b64encode
from servicekit.bundles import AnswerReader, BundledAnswer, BundledCall, write_calls
from servicekit.database import DatabaseUnavailable

pytestmark = pytest.mark.dialects("sqlite", "postgresql")

VERIFY = f"{DOOR}signed/verify"
LOGIN = {"method": "POST", "uriId": "/login", "allowedSignatureTypes": ["possession_knowledge"]}


def call(number: int, request: Any, path: str = VERIFY, correlation_id: str | None = None) -> BundledCall:
    return BundledCall(number, path, correlation_id, json.dumps({"requestObject": request}).encode())


def login(phone: Any, body: bytes = b"{}", **changes: Any) -> dict[str, Any]:
    return {"header": phone.sign(body, uri_id="/login").header, "body": b64encode(body), **LOGIN, **changes}


async def send(api: Any, *calls: BundledCall) -> list[BundledAnswer]:
    response = await api.send("bundle", write_calls(calls))
    assert response.status_code == 200
    return sorted(AnswerReader().feed(response.content))


async def test_every_call_gets_the_answer_it_would_get_alone(
    dmz, make_phone, stored, operation, door
) -> None:
    phones = [await make_phone(name) for name in ("alice", "bob", "carol")]
    made = await operation()
    approval = json.dumps({"requestObject": {"id": made["id"], "data": made["data"]}}).encode()
    repeated = login(phones[1])
    answers = await send(
        dmz,
        call(0, login(phones[2])),
        call(1, repeated),
        call(2, repeated),
        call(3, login(phones[2], header={**phones[2].sign(b"").header, "pa_signature": "wrong"})),
        call(4, door.request(phones[0], "operation/approve", approval), f"{DOOR}signed/operation/approve"),
        call(5, login(phones[2], uriId="/operation/authorize")),
    )
    assert [(answer.number, answer.status) for answer in answers] == [(n, 200) for n in range(5)] + [(5, 400)]
    bodies = [json.loads(answer.body)["responseObject"] for answer in answers]
    assert bodies[0]["userId"] == "carol"
    assert sorted(body["authenticated"] for body in bodies[1:3]) == [False, True]
    assert bodies[3]["authenticated"] is False
    assert bodies[4]["result"] == "APPROVED"
    assert bodies[5]["code"] == "ERR0024"
    assert (await stored(phones[1])).failed_attempts == 1


@pytest.mark.parametrize(
    "refused",
    [
        BundledCall(0, VERIFY, None, b"{"),
        call(0, None),
        call(0, {}, "/dmz/v1/activation/create"),
        call(0, {}, "/dmz/v1/bundle"),
        call(0, {"activationId": "a"}, "/rest/v3/signature/verify"),
    ],
)
async def test_what_is_not_for_bundles_is_left_to_be_asked_alone(dmz, phone, refused) -> None:
    assert refused.path not in HOT_CALLS or refused.path.startswith("/rest") or refused.path == VERIFY
    answers = await send(dmz, refused, call(1, login(phone)))
    assert [answer.status for answer in answers] == [0, 200]


async def test_an_outage_is_told_to_each_call(dmz, phone, core, monkeypatch) -> None:
    async def refuse(_job: Any) -> None:
        raise DatabaseUnavailable("gone")

    monkeypatch.setattr(core.verifier, "run", refuse)
    answers = await send(dmz, call(0, login(phone)), call(1, login(phone)))
    assert [(answer.status, answer.retry_after is not None) for answer in answers] == [(503, True)] * 2


async def test_a_fault_of_ours_is_told_to_its_call_alone(dmz, make_phone, core, monkeypatch) -> None:
    phones = [await make_phone("alice"), await make_phone("bob")]
    run = core.verifier.run

    async def fail(job: Any) -> Any:
        if job.activation_id == phones[0].activation_id:
            raise RuntimeError("a secret")
        return await run(job)

    monkeypatch.setattr(core.verifier, "run", fail)
    answers = await send(dmz, *[call(number, login(phone)) for number, phone in enumerate(phones)])
    assert [answer.status for answer in answers] == [500, 200]
    assert b"secret" not in answers[0].body


async def test_only_the_door_takes_bundles(api, dmz, phone) -> None:
    content = write_calls([call(0, login(phone))])
    assert (await api.send("/dmz/v1/bundle", content)).status_code == 401
    assert (await dmz.send("/rest/v3/bundle", content)).status_code in (401, 404)
    assert (await dmz.send("bundle", b"not a bundle")).status_code == 400
    for method, status in (("GET", 405), ("HEAD", 405), ("OPTIONS", 200), ("BREW", 501)):
        answer = await dmz.send("bundle", content, method=method)
        assert (answer.status_code, answer.headers.get("allow")) == (
            status,
            None if status == 501 else "OPTIONS, POST",
        )
