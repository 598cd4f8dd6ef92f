"""System calls and the error envelope (spec/core-api.md §1.2, §4, §28)."""

from __future__ import annotations

from datetime import datetime
from importlib.metadata import version

import pytest
from core_test_api import Api, Serve

from powerauth_core.kernel.errors import SERVICE_ERRORS


async def test_status_names_this_installation(serve: Serve) -> None:
    api = await serve(application_name="n", application_display_name="d", application_environment="e")
    status = await api.ok("status")
    assert (status["status"], status["applicationName"]) == ("OK", "n")
    assert (status["applicationDisplayName"], status["applicationEnvironment"]) == ("d", "e")
    assert (status["version"], status["productVersion"]) == ("1.10.0", version("powerauth-core"))
    for moment in ("buildTime", "timestamp"):
        assert datetime.fromisoformat(status[moment]).utcoffset() is not None
        assert status[moment].endswith("+00:00")


async def test_error_list_holds_every_code_with_its_message(api: Api) -> None:
    errors = (await api.ok("error/list", language="cs"))["errors"]
    assert [error["code"] for error in errors] == [f"ERR{number:04}" for number in range(46)]
    assert errors[9]["value"] == "Activation with given activation ID was not found."


def test_codes_are_unique_and_messages_are_sentences() -> None:
    assert len({error.code for error in SERVICE_ERRORS}) == 46
    assert all(error.message.endswith(".") for error in SERVICE_ERRORS)


async def test_a_service_error_is_400_with_its_text_twice(api: Api) -> None:
    status, body = await api.post("application/detail", applicationId="unknown")
    message = "Application or application version does not exist."
    assert (status, body) == (
        400,
        {
            "status": "ERROR",
            "responseObject": {"code": "ERR0015", "message": message, "localizedMessage": message},
        },
    )


async def test_unreadable_json_is_told_apart_from_missing_fields(api: Api) -> None:
    for content in (b"", b"{", b"[]", b'{"requestObject":{"applicationId":[]}}', b"\xff"):
        answer = await api.send("application/detail", content)
        assert answer.status_code == 400, content
        assert answer.json()["responseObject"]["code"] in ("ERROR_HTTP_REQUEST", "ERR0024")
    for content, reason in (
        (b'{"requestObject":{"applicationId":[]}}', "requestObject.applicationId - must be a string"),
        (
            b'{"requestObject":{"applicationId":"a","applicationId":"a"}}',
            'member "applicationId" stands twice',
        ),
        (
            b'{"requestObject":{"applicationId":1' + b"0" * 100 + b"}}",
            'member "applicationId": a number has more than 100 characters',
        ),
    ):
        mistyped = (await api.send("application/detail", content)).json()["responseObject"]
        assert mistyped["code"] == "ERROR_HTTP_REQUEST"
        assert mistyped["message"] == f"The request cannot be read: {reason}"
        assert mistyped["currentRecoveryPukIndex"] == 0


async def test_missing_fields_are_named_and_sorted(api: Api) -> None:
    _status, body = await api.post("application/version/create")
    message = (
        "requestObject.applicationId - must not be null,"
        " requestObject.applicationVersionId - must not be null"
    )
    assert body["responseObject"] == {"code": "ERR0024", "message": message, "localizedMessage": message}


async def test_a_null_or_missing_envelope_is_an_invalid_request(api: Api) -> None:
    for content in (b"{}", b'{"requestObject":null}'):
        answer = await api.send("application/detail", content)
        assert answer.json()["responseObject"]["code"] == "ERR0024"
        assert "requestObject - must not be null" in answer.json()["responseObject"]["message"]


@pytest.mark.parametrize("escape", [b"\\u0000", b"\\ud800"])
async def test_text_that_cannot_be_stored_is_refused(api: Api, escape: bytes) -> None:
    answer = await api.send("application/create", b'{"requestObject":{"applicationId":"x' + escape + b'"}}')
    assert (answer.status_code, answer.json()["status"]) == (400, "ERROR")


async def test_unknown_members_are_ignored(api: Api) -> None:
    await api.ok("application/create", applicationId="bank", unknown={"deep": [1]})


async def test_a_body_over_the_limit_is_refused(serve: Serve) -> None:
    api = await serve(max_body_bytes=2048)
    answer = await api.send("application/detail", b'{"requestObject":"' + b"x" * 4096 + b'"}')
    assert answer.status_code == 413
    assert answer.json()["status"] == "ERROR"
