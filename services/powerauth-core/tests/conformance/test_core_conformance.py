"""Every call of the core against its section of the specification (spec/core-api.md; D21).

The catalogue is complete against the application and against the text of the specification.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from core_cases import ALWAYS_REFUSED, CASES, OUT_OF_SCOPE, Bad, Case
from core_catalogue import ENDPOINTS, MESSAGES, NOT_PRODUCED, SHAPES, TEXT, Call
from core_shapes import check_response, fields_of, includes
from core_test_api import ROOT
from core_world import World

CATALOGUE = {endpoint.path: endpoint for endpoint in ENDPOINTS}
SOUND: list[tuple[Case, dict[str, Any], str]] = [
    (case, {}, case.answer) for case in CASES.values() if case.path not in ALWAYS_REFUSED
]
MORE = [(case, change, answer) for case in CASES.values() for change, answer in case.more]
BAD = [(case, bad) for case in CASES.values() for bad in case.bad]


NAMED = {
    "TELEMETRY": "ERROR_TELEMETRY",
    "RECOVERY": "ERR_RECOVERY",
    "MANY": "ERROR_TOO_MANY_REQUESTS",
    "FIDO2_AUTH": "ERROR_FIDO2_AUTH",
    "FIDO2_REQUEST": "ERROR_FIDO2_REQUEST",
    "LISTS": "PASSKEY_LISTS_EXCLUSIVE",
    "LOCKED": "PASSKEY_ATTESTATION_LOCKED",
    "CHANGED": "PASSKEY_POLICY_CHANGED",
    "IMPACT": "PASSKEY_POLICY_IMPACT",
    "NO_MDS": "MDS_NOT_LOADED",
    "MDS": "MDS_INVALID",
    "ROLLBACK": "MDS_ROLLBACK",
    "GRANT": "ERR_JWT_GRANT",
    "KEY": "ERR_JWT_KEY_INVALID",
    "KEYLESS": "ERR_JWT_KEY_NOT_FOUND",
    "KEYSTATE": "ERR_JWT_KEY_STATE",
    "CLIENT": "ERR_OIDC_CLIENT_EXISTS",
    "CLIENTLESS": "ERR_OIDC_CLIENT_NOT_FOUND",
}
STATUSES = {"MANY": 429}


def wire_code(code: str) -> str:
    return NAMED.get(code, f"ERR{code}")


def required_of(endpoint: Call) -> list[str]:
    return [member.name for member in fields_of(endpoint.request) if not member.optional]


async def perform(world: World, case: Case, change: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    """Make the request and send it."""
    await world.play(case.before)
    world.request = await world.made(case.sound | change)
    return await world.post(case.path, world.request)


def name_of(value: object) -> str | None:
    if isinstance(value, Case):
        return value.path
    if isinstance(value, Bad):
        return f"{value.code}-{'-'.join(value.change) or 'state'}"
    return None


@pytest.mark.dialects("sqlite", "postgresql")
@pytest.mark.parametrize(("case", "change", "answer"), SOUND, ids=name_of)
async def test_a_sound_request_is_answered_in_full(
    world: World, case: Case, change: dict[str, Any], answer: Any
) -> None:
    status, body = await perform(world, case, change)
    assert (status, body["status"]) == (200, "OK"), body
    check_response(body, CATALOGUE[case.path].response)
    world.answer = body.get("responseObject")
    assert includes(world.answer, answer), world.answer
    for path, request, expected in case.then:
        status, body = await world.post(path, await world.made(request))
        assert status == 200, (path, body)
        assert includes(body.get("responseObject"), expected), (path, expected, body)


@pytest.mark.parametrize(("case", "change", "answer"), MORE, ids=name_of)
async def test_other_sound_requests(world: World, case: Case, change: dict[str, Any], answer: Any) -> None:
    status, body = await perform(world, case, change)
    assert (status, body["status"]) == (200, "OK"), body
    check_response(body, CATALOGUE[case.path].response)
    assert includes(body.get("responseObject"), answer), body


@pytest.mark.parametrize(("case", "bad"), BAD, ids=name_of)
async def test_a_refusal(world: World, case: Case, bad: Bad) -> None:
    await world.play(case.before)
    world.request = await world.made(case.sound | bad.change)
    await world.play(bad.after)
    status, body = await world.post(case.path, world.request)
    code = wire_code(bad.code)
    message = bad.message or MESSAGES[code]
    expected = {"code": code, "message": message, "localizedMessage": message} | bad.extra
    assert (status, body["status"]) == (STATUSES.get(bad.code, 400), "ERROR")
    answer = body["responseObject"]
    assert answer.keys() == expected.keys(), answer
    assert includes(answer, expected), answer


SCOPED_CASES = [
    case
    for case in CASES.values()
    if any(
        member.name == "applicationIds" and member.optional
        for member in fields_of(CATALOGUE[case.path].request)
    )
]


@pytest.mark.parametrize("case", SCOPED_CASES, ids=name_of)
async def test_no_application_in_the_scope_is_none_not_all(world: World, case: Case) -> None:
    """``[]`` is answered like a scope of strangers (D21)."""
    status, strangers = await perform(world, case, OUT_OF_SCOPE)
    request = world.request | {"applicationIds": []}
    answered = await world.post(case.path, request)
    assert (answered[0], without_moments(answered[1])) == (status, without_moments(strangers))


def without_moments(body: dict[str, Any]) -> dict[str, Any]:
    """The answer without what is new in each."""
    answer = body.get("responseObject")
    if isinstance(answer, dict):
        new = {"encryptedStatusBlob", "encryptedStatusBlobNonce", "timestampCreated", "timestampLastUsed"}
        body = body | {"responseObject": {name: value for name, value in answer.items() if name not in new}}
    return body


WITH_REQUIRED = [endpoint for endpoint in ENDPOINTS if required_of(endpoint)]


@pytest.mark.parametrize("endpoint", WITH_REQUIRED, ids=lambda endpoint: endpoint.path)
async def test_required_members_are_named(world: World, endpoint: Call) -> None:
    case = CASES[endpoint.path]
    await world.play(case.before)
    sound = await world.made(case.sound)
    for member in required_of(endpoint):
        message = f"requestObject.{member} - must not be null"
        for changed in (
            sound | {member: None},
            {name: value for name, value in sound.items() if name != member},
        ):
            status, body = await world.post(endpoint.path, changed)
            answer = body["responseObject"]
            assert (status, answer["code"], answer["message"]) == (400, "ERR0024", message)


# Texts that may be empty, and members that only look like texts.
NOT_CHECKED = {
    "data",
    "activation/init applicationId",
    *("type", "authMethod", "signatureType", "activationStatus", "timestampFrom", "timestampTo"),
}
# Their models take any text; nothing is found by a blank one.
TAKE_ANY_TEXT = ("signature/", "token/", "application/callback/list", "application/callback/remove")
WITH_TEXTS = [endpoint for endpoint in WITH_REQUIRED if not endpoint.path.startswith(TAKE_ANY_TEXT)]


@pytest.mark.parametrize("endpoint", WITH_TEXTS, ids=lambda endpoint: endpoint.path)
async def test_required_texts_are_not_blank(world: World, endpoint: Call) -> None:
    case = CASES[endpoint.path]
    await world.play(case.before)
    sound = await world.made(case.sound)
    texts = [name for name in required_of(endpoint) if isinstance(sound[name], str)]
    for member in texts:
        if not NOT_CHECKED.isdisjoint({member, f"{endpoint.path} {member}"}):
            continue
        for blank in ("", " \t"):
            status, body = await world.post(endpoint.path, sound | {member: blank})
            answer = body["responseObject"]
            assert (status, answer["code"]) == (400, "ERR0024"), (member, blank)
            assert answer["message"].startswith(f"requestObject.{member} - "), answer


BODY_LESS = [endpoint for endpoint in ENDPOINTS if not endpoint.request]


@pytest.mark.parametrize("endpoint", BODY_LESS, ids=lambda endpoint: endpoint.path)
async def test_a_call_without_members_takes_any_body(world: World, endpoint: Call) -> None:
    """Stock clients send a null or an empty request object, or nothing (§1)."""
    for content in (b"", b"{}", b"not json", b'{"requestObject":null}', b'{"requestObject":{"any":[1]}}'):
        response = await world.http.post(endpoint.path, content=content)
        assert response.status_code == 200, content


# -- the catalogue is complete -------------------------------------------------------------------------------


def calls_of(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The calls of the API document by their path below ``/rest/v3/``, or from the root."""
    return {
        path.removeprefix(ROOT).removeprefix("/rest/v3/"): next(iter(item.values()))
        for path, item in document["paths"].items()
        if path.removeprefix(ROOT).startswith(("/rest/v3/", "/fido2/"))
    }


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The schema behind a reference."""
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def test_the_catalogue_lists_every_call_of_the_api_document(document: dict[str, Any]) -> None:
    assert set(CATALOGUE) == set(calls_of(document))
    assert len(CATALOGUE) == len(ENDPOINTS) == 116


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_requests_have_the_members_of_the_catalogue(document: dict[str, Any], endpoint: Call) -> None:
    call = calls_of(document)[endpoint.path]
    members = {}
    if "requestBody" in call:
        envelope = resolved(document, call["requestBody"]["content"]["application/json"]["schema"])
        model = resolved(document, envelope["properties"]["requestObject"])
        members = {name: name not in model.get("required", ()) for name in model["properties"]}
    assert members == {member.name: member.optional for member in fields_of(endpoint.request)}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.path)
def test_answers_are_documented_with_the_members_of_the_catalogue(
    document: dict[str, Any], endpoint: Call
) -> None:
    content = calls_of(document)[endpoint.path]["responses"]["200"]["content"]["application/json"]
    envelope = resolved(document, content["schema"])
    if endpoint.response == "-":
        assert set(envelope["properties"]) == {"status"}
        return
    model = resolved(document, envelope["properties"]["responseObject"])
    model = resolved(document, model.get("items", model))
    notation = SHAPES.get(endpoint.response.strip("[]"), endpoint.response)
    assert set(model["properties"]) == {member.name for member in fields_of(notation)}


def test_every_call_has_cases_for_every_error_of_its_section() -> None:
    assert set(CASES) == set(CATALOGUE)
    for endpoint in ENDPOINTS:
        case = CASES[endpoint.path]
        tried = {bad.code for bad in case.bad} | ({"0024"} if required_of(endpoint) else set())
        assert tried == set(endpoint.errors.split()), endpoint.path


SUBJECTS = {"activationId", "activationIds", "operationId", "tokenId", "subjectId", "recoveryCodeIds"}


def test_every_call_about_a_subject_takes_the_callers_scope_and_is_tried_with_one() -> None:
    """D21: activations, operations, tokens, callbacks and audit subjects."""
    for endpoint in ENDPOINTS:
        members = {member.name for member in fields_of(endpoint.request)}
        case = CASES[endpoint.path]
        if SUBJECTS & members or endpoint.path.startswith("application/callback/"):
            assert "applicationIds" in members, endpoint.path
        if "applicationIds" in members:
            tried = [case.sound, *(bad.change for bad in case.bad), *(change for change, _ in case.more)]
            assert any("applicationIds" in request for request in tried), endpoint.path


def test_every_error_of_the_list_is_tried_or_never_answered() -> None:
    listed = {code for endpoint in ENDPOINTS for code in endpoint.errors.split() if code.isdigit()}
    assert {code.removeprefix("ERR") for code in MESSAGES if code[3:].isdigit()} - listed == {
        "0000",
        *NOT_PRODUCED,
    }


async def test_the_error_list_is_the_table(world: World) -> None:
    answer = await world.ok("error/list")
    assert {item["code"]: item["value"] for item in answer["errors"]} == {
        code: message for code, message in MESSAGES.items() if code[3:].isdigit()
    }


def test_the_catalogue_is_that_of_the_specification() -> None:
    section = TEXT.partition("## 3. Endpoint catalogue")[2].partition("## 4. System")[0]
    paths = re.findall(r"\| `([a-z0-9/-]+)`", section)
    assert len(paths) == len(set(paths))
    assert set(paths) == {
        endpoint.path for endpoint in ENDPOINTS if not endpoint.ours and not endpoint.path.startswith("/")
    }
