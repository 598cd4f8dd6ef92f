"""Configuration of identity providers (spec/enrollment-api.md §16)."""

from __future__ import annotations

from typing import Any

import pytest
from enrollment_fakes import ENCRYPTION_FAILED, REMOTE_FAILED, Answer, Phone, PublicClient, Raw, Refusal

from powerauth_protocol.v3.ecies import Scope

PATH = "/api/config/oidc"
FAILED = (400, "APPLICATION_CONFIGURATION_ERROR", "Unable to fetch application configuration.")
PUBLIC = {
    "providerId": "google",
    "clientId": "client",
    "scopes": "openid",
    "authorizeUri": "https://id.example/authorize",
    "redirectUri": "app://login",
    "pkceEnabled": True,
}


async def ask(client: PublicClient, phone: Phone, plaintext: bytes) -> tuple[Answer, Any]:
    sealed = phone.generic(plaintext)
    answer = await client.post(PATH, sealed.fields, phone.encryption(Scope.APPLICATION))
    return answer, sealed.open_json(answer.json) if answer.status == 200 else None


async def test_public_fields_and_nothing_else(client: PublicClient, phone: Phone) -> None:
    client.core.script["application/public"] = PUBLIC | {
        "clientSecret": "s",
        "tokenUri": "t",
        "jwkSetUri": "j",
    }
    _, opened = await ask(client, phone, b'{"providerId":"google"}')
    assert opened == {"status": "OK", "responseObject": PUBLIC}
    assert client.core.last("application/public") == {"applicationKey": phone.app.key, "providerId": "google"}


@pytest.mark.parametrize("plaintext", [b"", b"{}", b'{"providerId":null}', b'{"providerId":5}'])
async def test_without_a_provider(client: PublicClient, phone: Phone, plaintext: bytes) -> None:
    answer, _ = await ask(client, phone, plaintext)
    assert answer.error == FAILED
    assert "application/public" not in client.core.paths


async def test_failures(client: PublicClient, phone: Phone) -> None:
    assert (await client.post(PATH, {}, phone.encryption(Scope.APPLICATION))).error == ENCRYPTION_FAILED
    assert (await client.post(PATH, {})).error == ENCRYPTION_FAILED
    answer, _ = await ask(client, phone, b"text")
    assert answer.error == ENCRYPTION_FAILED
    client.core.script["application/public"] = Refusal("ERR0015")
    answer, _ = await ask(client, phone, b'{"providerId":"google"}')
    assert answer.error == FAILED
    client.core.script["application/public"] = Raw(500)
    answer, _ = await ask(client, phone, b'{"providerId":"google"}')
    assert answer.error == REMOTE_FAILED
