"""Generic envelopes of activation scope: closed to the core and closed back (spec/enrollment-api.md §6.6,
§6.7, §6.14).
"""

from __future__ import annotations

from typing import Any

import pytest
from enrollment_fakes import (
    ACTIVATION_ID,
    ENCRYPTION_FAILED,
    NO_HEADERS,
    REMOTE_FAILED,
    REQUEST_INVALID,
    SIGNATURE_INVALID,
    TOKEN_ID,
    Phone,
    PublicClient,
    Raw,
    Refusal,
)

from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.v3.ecies import Scope

GENERIC = "/pa/generic/activation"
ENVELOPE = {"encryptedData": "ANSWER", "mac": "MAC", "nonce": "NONCE", "timestamp": 1}
CLOSED = {"authenticated": True, "envelope": ENVELOPE, "refusal": None}
NAMED = {"authenticated": True, "envelope": ENVELOPE | {"nonce": None, "timestamp": None}}
BODIES = [b"", b"text", b"{}", b'{"encryptedData":"AA=="}']
DETAIL, RENAME, USER_INFO = "/pa/v3/activation/detail", "/pa/v3/activation/rename", "/pa/v3/user/info"
DETAIL_CALL, RENAME_CALL, USER_INFO_CALL = (
    "sealed/activation/detail",
    "sealed/activation/rename",
    "sealed/user-info",
)
USER_INFO_FAILED = (400, "ERR_USER_INFO", "POWER_AUTH_USER_INFO_ERROR")


def encryption_of(phone: Phone) -> dict[str, str]:
    """The encryption header as the core gets it."""
    return {"application_key": phone.app.key, "activation_id": ACTIVATION_ID, "version": phone.version.value}


class TestDetail:
    def headers(self, phone: Phone) -> dict[str, str]:
        return phone.token() | phone.encryption(Scope.ACTIVATION)

    @pytest.mark.parametrize("version", ["3.0", "3.1", "3.2", "3.3"])
    async def test_body_and_headers_pass_as_received(self, client: PublicClient, version: str) -> None:
        phone = Phone(client.core, version)
        client.core.script[DETAIL_CALL] = NAMED
        body = phone.closed(GENERIC)
        answer = await client.post(DETAIL, body, self.headers(phone))
        assert (answer.status, answer.json) == (200, {"encryptedData": "ANSWER", "mac": "MAC"})
        (call,) = client.core.calls
        assert set(call.request) == {"body", "token", "encryption"}
        assert b64decode(call.request["body"]) == body
        assert call.request["token"]["token_id"] == TOKEN_ID
        assert call.request["encryption"] == encryption_of(phone)

    async def test_token_is_judged_first_whatever_the_envelope(
        self, client: PublicClient, phone: Phone
    ) -> None:
        for outcome, expected in (
            ({"authenticated": False}, SIGNATURE_INVALID),
            (Refusal("ERR0024"), ENCRYPTION_FAILED),
        ):
            client.core.script[DETAIL_CALL] = outcome
            for body in BODIES:
                assert (await client.post(DETAIL, body, self.headers(phone))).error == expected
            for unusable in (NO_HEADERS, phone.encryption(Scope.APPLICATION)):
                answer = await client.post(DETAIL, phone.closed(GENERIC), phone.token() | unusable)
                assert answer.error == expected
                assert set(client.core.calls[-1].request) == {"body", "token"}
        client.core.calls.clear()
        answer = await client.post(DETAIL, b"{}", phone.encryption(Scope.ACTIVATION))
        assert answer.error == SIGNATURE_INVALID
        assert client.core.calls == []

    @pytest.mark.parametrize(
        ("outcome", "expected"),
        [
            (Refusal("ERR0018"), ENCRYPTION_FAILED),
            ({"authenticated": True}, REMOTE_FAILED),
            (Raw(500), REMOTE_FAILED),
        ],
    )
    async def test_outcomes(
        self, client: PublicClient, phone: Phone, outcome: Any, expected: tuple[int, str, str]
    ) -> None:
        client.core.script[DETAIL_CALL] = outcome
        answer = await client.post(DETAIL, phone.closed(GENERIC), self.headers(phone))
        assert answer.error == expected


@pytest.mark.parametrize("body", BODIES)
async def test_renaming_leaves_every_body_to_the_core(
    client: PublicClient, phone: Phone, body: bytes
) -> None:
    client.core.script[RENAME_CALL] = {"authenticated": False}
    assert (await client.post(RENAME, body, phone.authorization())).error == SIGNATURE_INVALID
    assert b64decode(client.core.last(RENAME_CALL)["body"]) == body


async def test_renaming_without_a_name(client: PublicClient, phone: Phone) -> None:
    client.core.script[RENAME_CALL] = {"authenticated": True, "refusal": "REQUEST_INVALID"}
    answer = await client.post(RENAME, phone.closed(GENERIC), phone.authorization())
    assert answer.error == REQUEST_INVALID


class TestUserInfo:
    @pytest.mark.parametrize("version", ["3.0", "3.1", "3.2", "3.3"])
    async def test_body_and_header_pass_as_received(self, client: PublicClient, version: str) -> None:
        phone = Phone(client.core, version)
        client.core.script[USER_INFO_CALL] = CLOSED
        body = phone.closed(GENERIC)
        answer = await client.post(USER_INFO, body, phone.encryption(Scope.ACTIVATION))
        assert (answer.status, answer.json) == (200, ENVELOPE)
        (call,) = client.core.calls
        assert set(call.request) == {"body", "encryption"}
        assert b64decode(call.request["body"]) == body
        assert call.request["encryption"] == encryption_of(phone)

    async def test_a_signature_header_supplies_the_context(self, client: PublicClient, phone: Phone) -> None:
        client.core.script[USER_INFO_CALL] = CLOSED
        headers = phone.authorization() | phone.encryption(Scope.APPLICATION)
        answer = await client.post(USER_INFO, phone.closed(GENERIC), headers)
        assert answer.status == 200
        assert set(client.core.last(USER_INFO_CALL)) == {"body", "authorization"}

    async def test_without_a_usable_header(self, client: PublicClient, phone: Phone) -> None:
        malformed = {"X-PowerAuth-Authorization": "PowerAuth x"} | phone.encryption(Scope.ACTIVATION)
        for headers in (NO_HEADERS, phone.encryption(Scope.APPLICATION), phone.token(), malformed):
            answer = await client.post(USER_INFO, phone.closed(GENERIC), headers)
            assert answer.error == ENCRYPTION_FAILED
        assert client.core.calls == []

    @pytest.mark.parametrize(
        ("outcome", "expected"),
        [
            (Refusal("ERR0008"), ENCRYPTION_FAILED),
            (Refusal("ERR0024"), ENCRYPTION_FAILED),
            ({"authenticated": True, "refusal": "REQUEST_INVALID"}, USER_INFO_FAILED),
            ({"authenticated": True, "envelope": None}, REMOTE_FAILED),
            ({"authenticated": True, "envelope": []}, REMOTE_FAILED),
            (Raw(500), REMOTE_FAILED),
        ],
    )
    async def test_outcomes(
        self, client: PublicClient, phone: Phone, outcome: Any, expected: tuple[int, str, str]
    ) -> None:
        client.core.script[USER_INFO_CALL] = outcome
        answer = await client.post(USER_INFO, phone.closed(GENERIC), phone.encryption(Scope.ACTIVATION))
        assert answer.error == expected
