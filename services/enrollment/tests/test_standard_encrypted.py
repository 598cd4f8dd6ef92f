"""Activation scope opened here: detail, rename, user info (spec/enrollment-api.md §6.6, §6.7, §6.14)."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from enrollment_fakes import (
    ACTIVATION_ID,
    ACTIVATION_INVALID,
    ENCRYPTION_FAILED,
    NO_HEADERS,
    OTHER_ACTIVATION_ID,
    REMOTE_FAILED,
    REQUEST_INVALID,
    SIGNATURE_INVALID,
    Answer,
    FakeCore,
    Phone,
    PublicClient,
    Raw,
    Refusal,
)

from powerauth_protocol.ecies import Scope

VERSIONS = ["3.0", "3.1", "3.2", "3.3"]
DETAIL, RENAME, USER_INFO = "/pa/v3/activation/detail", "/pa/v3/activation/rename", "/pa/v3/user/info"
NAMED = {"authenticated": True, "activationId": ACTIVATION_ID, "activationName": "My phone"}
USER_INFO_FAILED = (400, "ERR_USER_INFO", "POWER_AUTH_USER_INFO_ERROR")


async def exchange(
    client: PublicClient, phone: Phone, path: str, plaintext: bytes, headers: dict[str, str]
) -> tuple[Answer, Any]:
    """Post a sealed plaintext; the opened answer when there is one."""
    encryptor = phone.encryptor(Scope.ACTIVATION)
    answer = await client.post(path, encryptor.encrypt(plaintext).to_json_dict(), headers)
    opened = json.loads(phone.open(encryptor, answer.body)) if answer.status == 200 else None
    return answer, opened


def broken(phone: Phone) -> list[object]:
    """Bodies that cannot be opened."""
    good = phone.encryptor(Scope.ACTIVATION).encrypt(b"{}").to_json_dict()
    return [b"", b"text", {}, good | {"extra": 1}, good | {"mac": "A" * 43 + "="}]


class TestDetail:
    def headers(self, phone: Phone) -> dict[str, str]:
        return phone.token() | phone.encryption(Scope.ACTIVATION)

    @pytest.mark.parametrize("version", VERSIONS)
    async def test_success(self, client: PublicClient, core: FakeCore, version: str) -> None:
        phone = Phone(core, version)
        core.script["token/activation/detail"] = NAMED
        for plaintext in (b"{}", b"", b"anything"):
            _, opened = await exchange(client, phone, DETAIL, plaintext, self.headers(phone))
            assert opened == {
                "status": "OK",
                "responseObject": {"activationId": ACTIVATION_ID, "activationName": "My phone"},
            }

    async def test_name_may_be_null(self, client: PublicClient, core: FakeCore, phone: Phone) -> None:
        core.script["token/activation/detail"] = NAMED | {"activationName": None}
        _, opened = await exchange(client, phone, DETAIL, b"{}", self.headers(phone))
        assert opened["responseObject"] == {"activationId": ACTIVATION_ID, "activationName": None}

    async def test_token_is_looked_at_first(self, client: PublicClient, core: FakeCore, phone: Phone) -> None:
        core.script["token/activation/detail"] = {"authenticated": False}
        for body in broken(phone):
            assert (await client.post(DETAIL, body, self.headers(phone))).error == SIGNATURE_INVALID
            assert (
                await client.post(DETAIL, body, phone.encryption(Scope.ACTIVATION))
            ).error == SIGNATURE_INVALID
        assert set(core.paths) == {"token/activation/detail"}

    async def test_broken_envelope_of_an_authenticated_device(
        self, client: PublicClient, core: FakeCore, phone: Phone
    ) -> None:
        core.script["token/activation/detail"] = NAMED
        for body in broken(phone):
            assert (await client.post(DETAIL, body, self.headers(phone))).error == ENCRYPTION_FAILED
        body = phone.encryptor(Scope.ACTIVATION).encrypt(b"{}").to_json_dict()
        assert (await client.post(DETAIL, body, phone.token())).error == ENCRYPTION_FAILED
        wrong_scope = phone.token() | phone.encryption(Scope.APPLICATION)
        assert (await client.post(DETAIL, body, wrong_scope)).error == ENCRYPTION_FAILED

    async def test_envelope_must_be_of_the_tokens_activation(
        self, client: PublicClient, core: FakeCore, phone: Phone
    ) -> None:
        core.script["token/activation/detail"] = NAMED | {"activationId": OTHER_ACTIVATION_ID}
        answer, _ = await exchange(client, phone, DETAIL, b"{}", self.headers(phone))
        assert answer.error == SIGNATURE_INVALID

    async def test_refusals(self, client: PublicClient, core: FakeCore, phone: Phone) -> None:
        for outcome, expected in (
            (Refusal("ERR0009"), ACTIVATION_INVALID),
            (Raw(500), REMOTE_FAILED),
        ):
            core.script["token/activation/detail"] = outcome
            answer, _ = await exchange(client, phone, DETAIL, b"{}", self.headers(phone))
            assert answer.error == expected


class TestRename:
    plaintext = b'{"activationName":"New name"}'

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("kind", ["possession_knowledge", "possession_biometry"])
    async def test_signature_covers_the_plaintext(
        self, client: PublicClient, core: FakeCore, version: str, kind: str
    ) -> None:
        phone = Phone(core, version)
        core.script["signed/activation/rename"] = NAMED
        _, opened = await exchange(client, phone, RENAME, self.plaintext, phone.authorization(kind))
        assert opened["responseObject"] == {"activationId": ACTIVATION_ID, "activationName": "My phone"}
        assert base64.b64decode(core.last("signed/activation/rename")["body"]) == self.plaintext
        assert core.paths == ["envelope/keys", "signed/activation/rename"]

    async def test_a_signature_is_not_counted_when_the_envelope_cannot_be_opened(
        self, client: PublicClient, core: FakeCore, phone: Phone
    ) -> None:
        for body in broken(phone):
            assert (await client.post(RENAME, body, phone.authorization())).error == SIGNATURE_INVALID
        core.script["envelope/keys"] = Refusal("ERR0045")
        answer, _ = await exchange(client, phone, RENAME, self.plaintext, phone.authorization())
        assert answer.error == SIGNATURE_INVALID
        assert "signed/activation/rename" not in core.paths

    @pytest.mark.parametrize("kind", ["possession", "possession_knowledge_biometry", "knowledge"])
    async def test_other_types_never_reach_the_core(
        self, client: PublicClient, core: FakeCore, phone: Phone, kind: str
    ) -> None:
        answer, _ = await exchange(client, phone, RENAME, self.plaintext, phone.authorization(kind))
        assert answer.error == SIGNATURE_INVALID
        assert core.calls == []

    @pytest.mark.parametrize(
        ("outcome", "expected"),
        [
            ({"authenticated": False}, SIGNATURE_INVALID),
            ({"authenticated": True, "refusal": "REQUEST_INVALID"}, REQUEST_INVALID),
            (Refusal("ERR0008"), ACTIVATION_INVALID),
            (Raw(503), REMOTE_FAILED),
        ],
    )
    async def test_outcomes(
        self, client: PublicClient, core: FakeCore, phone: Phone, outcome: Any, expected: tuple[int, str, str]
    ) -> None:
        core.script["signed/activation/rename"] = outcome
        answer, _ = await exchange(client, phone, RENAME, self.plaintext, phone.authorization())
        assert answer.error == expected


class TestUserInfo:
    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("plaintext", [b"", b"{}"])
    async def test_claims_come_with_the_keys_in_one_call(
        self, client: PublicClient, core: FakeCore, version: str, plaintext: bytes
    ) -> None:
        phone = Phone(core, version)
        core.user_info = {"sub": "alice", "given_name": "Alice", "email_verified": True}
        _, opened = await exchange(client, phone, USER_INFO, plaintext, phone.encryption(Scope.ACTIVATION))
        assert opened == core.user_info
        assert core.paths == ["envelope/keys"]
        assert core.last("envelope/keys")["withUserInfo"] is True

    async def test_without_a_provider(self, client: PublicClient, phone: Phone) -> None:
        _, opened = await exchange(client, phone, USER_INFO, b"{}", phone.encryption(Scope.ACTIVATION))
        assert opened == {}

    async def test_a_signature_header_supplies_the_context(
        self, client: PublicClient, core: FakeCore, phone: Phone
    ) -> None:
        headers = phone.authorization() | phone.encryption(Scope.APPLICATION)
        answer, _ = await exchange(client, phone, USER_INFO, b"{}", headers)
        assert answer.status == 200

    async def test_activation_must_be_active(
        self, client: PublicClient, core: FakeCore, phone: Phone
    ) -> None:
        core.activation_status = "BLOCKED"
        answer, _ = await exchange(client, phone, USER_INFO, b"{}", phone.encryption(Scope.ACTIVATION))
        assert answer.error == USER_INFO_FAILED

    async def test_failures(self, client: PublicClient, core: FakeCore, phone: Phone) -> None:
        header = phone.encryption(Scope.ACTIVATION)
        for body in broken(phone):
            assert (await client.post(USER_INFO, body, header)).error == ENCRYPTION_FAILED
        for headers in (NO_HEADERS, phone.encryption(Scope.APPLICATION), phone.token()):
            answer, _ = await exchange(client, phone, USER_INFO, b"{}", headers)
            assert answer.error == ENCRYPTION_FAILED
        answer, _ = await exchange(client, phone, USER_INFO, b"not json", header)
        assert answer.error == ENCRYPTION_FAILED
        for outcome, expected in (
            (Refusal("ERR0008"), ENCRYPTION_FAILED),
            (Refusal("ERR0024"), ENCRYPTION_FAILED),
            (Raw(500), REMOTE_FAILED),
            ({"secretKey": "AAAA"}, REMOTE_FAILED),
            ({"secretKey": "A" * 64}, REMOTE_FAILED),
        ):
            core.script["envelope/keys"] = outcome
            answer, _ = await exchange(client, phone, USER_INFO, b"{}", header)
            assert answer.error == expected
