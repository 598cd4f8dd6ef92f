"""Every call of the push service against the specification (spec/push-api.md §3, §5)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from push_world import CASES, Case, Refusal, World, includes

from powerauth_contracts.push.calls import PushCall
from powerauth_contracts.push.table import CALLS
from powerauth_contracts.wire import RequestModel

SPECIFICATION = Path(__file__).parents[4] / "docs/spec/push-api.md"
TEXT = SPECIFICATION.read_text(encoding="utf-8")
OURS = {f"/push/campaign/{{id}}/{action}" for action in ("progress", "pause", "resume", "cancel")}
NOT_PRODUCED = {
    "ERROR_PA_SERVER_COMM": "all failures of the core are told as ERROR_GENERIC before",
    "ERROR_DATABASE": "no query demands a row",
}
SOUND = [(case, method) for case in CASES for call in case.calls for method in call.methods]
MORE = [(case, change, answer) for case in CASES for change, answer in case.more]
BAD = [(case, Refusal(**refusal)) for case in CASES for refusal in case.refused]


def name_of(value: object) -> str | None:
    if isinstance(value, Case):
        return value.path
    if isinstance(value, Refusal):
        return f"{value.code}-{'-'.join(value.change) or value.id or 'whole'}"
    return value if isinstance(value, str) else None


def code_of(answer: tuple[int, dict[str, Any]]) -> tuple[int, str]:
    status, body = answer
    return status, body["responseObject"]["code"]


def models_of(call: PushCall[Any, Any]) -> type[RequestModel] | None:
    request = call.request
    return request if isinstance(request, type) and issubclass(request, RequestModel) else None


WITH_MODEL = [case for case in CASES if models_of(case.call) is not None]


@pytest.mark.parametrize(("case", "method"), SOUND, ids=name_of)
async def test_a_sound_request_is_answered(world: World, case: Case, method: str) -> None:
    status, body = await world.send(case, await world.filled(case.sound), method)
    assert (status, body["status"]) == (200, "OK"), body
    assert includes(body.get("responseObject"), await world.filled(case.answer)), body
    assert ("page" in body) is case.call.paged


@pytest.mark.parametrize(("case", "change", "answer"), MORE, ids=name_of)
async def test_other_sound_requests(world: World, case: Case, change: dict[str, Any], answer: Any) -> None:
    status, body = await world.send(case, await world.filled(case.sound | change))
    assert (status, body["status"]) == (200, "OK"), body
    assert includes(body.get("responseObject"), await world.filled(answer)), body


@pytest.mark.parametrize(("case", "bad"), BAD, ids=name_of)
async def test_a_refusal(world: World, case: Case, bad: Refusal) -> None:
    request = case.sound if bad.whole is None else bad.whole
    if bad.change:
        request = request | bad.change
    answer = await world.send(case, await world.filled(request), number=bad.id)
    assert code_of(answer) == (bad.status, bad.code), answer


@pytest.mark.parametrize("case", WITH_MODEL, ids=name_of)
async def test_required_members_are_named(world: World, case: Case) -> None:
    model = models_of(case.call)
    assert model is not None
    sound = await world.filled(case.sound)
    declared = case.call.declares or case.call.reads == "query"
    for name, member in model.model_fields.items():
        if not member.is_required():
            continue
        wire = str(member.alias or name)
        without = {key: value for key, value in sound.items() if key != wire}
        spoilt = [without] if case.call.reads == "query" else [without, sound | {wire: None}]
        for request in spoilt:
            status, body = await world.send(case, request)
            told = body["responseObject"]
            if declared:
                assert (status, told["code"]) == (400, "ERROR_REQUEST"), wire
                assert told["violations"][0]["fieldName"].endswith(wire)
            else:
                assert (status, told["code"]) == (400, "ERROR_GENERIC"), wire
                assert wire in told["message"]


@pytest.mark.parametrize("case", [case for case in WITH_MODEL if case.call.reads != "query"], ids=name_of)
async def test_members_of_another_type_are_refused_and_none_is_a_500(world: World, case: Case) -> None:
    sound = await world.filled(case.sound)
    for wire in sound:
        for value in ({"an": "object"}, [[1]], "\x00"):
            if wire == "extras" or (wire == "body" and isinstance(value, dict)):
                continue
            status, _body = await world.send(case, sound | {wire: value})
            assert status in (200, 400), (wire, value)


@pytest.mark.parametrize("case", WITH_MODEL, ids=name_of)
async def test_what_is_no_request_is_refused(world: World, case: Case) -> None:
    call = case.call
    if call.reads == "query":
        return
    path = case.path.replace("{id}", "1")
    for content in (b"", b"{", b"[]", b'{"requestObject":7}', b'{"a":1,"a":2}', b"\xff"):
        response = await world.client.http.request(
            call.methods[0], path, content=content, headers={"Content-Type": "application/json"}
        )
        assert response.status_code == 400, content
        assert response.json()["responseObject"]["code"] in ("ERROR_REQUEST", "ERROR_GENERIC")


# -- the table is complete -----------------------------------------------------------------------------------


def listed() -> set[tuple[str, str]]:
    """Methods and paths of §5."""
    section = TEXT.partition("\n## 5. ")[2].partition("\n## ")[0]
    found: set[tuple[str, str]] = set()
    for row in re.findall(r"^\| ([A-Z,/ ]+?) \| (.+?) \|", section, re.MULTILINE):
        methods = re.findall(r"[A-Z]+", row[0])
        for path in re.findall(r"`([^`]+)`", row[1]):
            found |= {(method, one) for method in methods for one in expanded(path.partition("?")[0])}
    return found


def expanded(path: str) -> list[str]:
    """``/admin/app/{ios,android}/update`` as two paths."""
    choice = re.search(r"\{([a-z]+(?:,[a-z]+)+)\}", path)
    if choice is None:
        return [path]
    return [path.replace(choice[0], word) for word in choice[1].split(",")]


def test_every_call_of_the_specification_is_served_and_has_a_case() -> None:
    served = {(method, call.path) for call in CALLS for method in call.methods}
    assert {pair for pair in served if pair[1] not in OURS} == listed()
    assert len(served) == 56
    tried = {(method, case.path) for case in CASES for call in case.calls for method in call.methods}
    assert tried == served


def test_every_listed_error_is_tried_or_never_answered() -> None:
    section = TEXT.partition("\n## 3. ")[2].partition("\n## ")[0]
    codes = set(re.findall(r"`(ERROR_[A-Z_]+)`", section))
    tried = {bad.code for _case, bad in BAD} | {"ERROR_REQUEST"}
    assert codes - tried == set(NOT_PRODUCED)


def test_every_call_with_a_request_has_a_refusal_of_its_own() -> None:
    assert [case.path for case in WITH_MODEL if not case.refused and not case.path.endswith("/list")] == []
