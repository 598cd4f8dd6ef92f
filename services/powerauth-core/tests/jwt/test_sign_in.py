"""What a sign-in gives: tokens, their claims, and who may have them (spec/device-trust.md §2.2, §2.3)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from core_test_api import Api
from core_test_rows import found
from core_test_tokens import ISSUER, Later, authentication, make_client, signed_in
from sqlalchemy import func, select

from powerauth_contracts.enums import ClientAuthMethod, OidcGrant
from powerauth_core.container import Core
from powerauth_core.jwt import sessions, tokens
from powerauth_core.jwt.models import JwtNotBefore, JwtSession, RevokedJwt
from powerauth_core.jwt.rules import passkey_references
from powerauth_core.jwt.tokens import SignIn
from powerauth_core.kernel.token_errors import GrantRefused
from powerauth_protocol.common.encoding import b64url_decode


def claims_of(token: str | None) -> dict[str, Any]:
    assert token is not None
    found: dict[str, Any] = json.loads(b64url_decode(token.split(".")[1]))
    return found


def header_of(token: str | None) -> dict[str, Any]:
    assert token is not None
    found: dict[str, Any] = json.loads(b64url_decode(token.split(".")[0]))
    return found


async def test_claims_of_both_tokens(issuing: Core, bank: str, api: Api) -> None:
    claims: dict[str, Any] = {"roles": ["teller"], "groups": ["g"], "organization": "Bank"}
    await make_client(issuing, bank, "web", default_claims=claims)
    await api.ok(
        "application/config/create", applicationId=bank, key="device_trust", values=[{"appName": "The Bank"}]
    )
    webauthn = {"credentialId": "abc", "uv": True}
    issued = await signed_in(
        issuing,
        bank,
        username="Alice",
        nonce="n-1",
        client_parameters={"theme": "dark"},
        authentication=authentication(webauthn=webauthn, webauthn_username="u", confirmation="j"),
    )
    identity, access = claims_of(issued.id_token), claims_of(issued.access_token)
    assert header_of(issued.id_token) | {"kid": ""} == {"alg": "RS256", "kid": "", "typ": "JWT"}
    assert header_of(issued.access_token)["typ"] == "at+jwt"
    shared: dict[str, Any] = {
        "iss": ISSUER,
        "sub": "alice",
        "sid": issued.session_id,
        "tid": "default",
        "app_id": bank,
    }
    shared |= {"app_name": "The Bank", "acr": "urn:pa:2fa", "cnf": {"jkt": "j"}, "roles": ["teller"]}
    for each in (identity, access):
        assert each | shared == each
        assert each["exp"] - each["iat"] == 3_600
    own: dict[str, Any] = {
        "aud": "web",
        "nonce": "n-1",
        "params": {"theme": "dark"},
        "new_user": True,
        "webauthn": webauthn,
    }
    own |= {"username": "Alice", "preferred_username": "Alice", "groups": ["g"], "organization": "Bank"}
    assert identity | own == identity
    assert access["aud"] == "userid-api"
    assert set(access) & set(own) == {"aud"}, "no personal data"
    again = await signed_in(issuing, bank)
    assert claims_of(again.id_token)["new_user"] is False
    assert claims_of(again.id_token)["username"] == "alice"
    assert again.response().keys() == {
        *("access_token", "id_token", "refresh_token", "token_type", "expires_in", "session_id", "scope")
    }


async def test_a_session_goes_on_with_a_later_proof(issuing: Core, bank: str) -> None:
    await make_client(issuing, bank, "web")
    first = await signed_in(issuing, bank, authentication=authentication(amr=["swk"], acr="urn:pa:1fa"))
    second = await signed_in(issuing, bank, session_id=first.session_id)
    assert (second.session_id, claims_of(second.access_token)["acr"]) == (first.session_id, "urn:pa:2fa")
    stranger = await signed_in(issuing, bank, "mallory", session_id=first.session_id)
    assert stranger.session_id != first.session_id, "another user's"


async def test_who_signs_in_where(issuing: Core, bank: str, api: Api) -> None:
    async def refusal(**wanted: Any) -> str:
        with pytest.raises(GrantRefused) as refused:
            await signed_in(issuing, bank, **wanted)
        return refused.value.error

    async def tried(**wanted: Any) -> tokens.Issued | None:
        async with issuing.database.transaction() as session:
            known: dict[str, Any] = {
                "application_id": bank,
                "user_id": "alice",
                "authentication": authentication(),
            }
            await tokens.check_sign_in(issuing, session, SignIn(**known | wanted))
            return await tokens.sign_in(issuing, session, SignIn(**known | wanted))

    assert await tried() is None, "no client"
    await make_client(issuing, bank, "backend", grant_types=[OidcGrant.CLIENT_CREDENTIALS])
    assert await tried() is None, "none that signs in"
    await make_client(issuing, bank, "web", scopes=["openid", "a"])
    issued = await tried()
    assert issued is not None
    assert (issued.scope, issued.refresh_token) == ("openid", None)
    assert await refusal(scope="b") == "invalid_scope"
    assert await refusal(scope="a", resource="elsewhere") == "invalid_target"
    assert await refusal(client_id="backend") == "unauthorized_client"
    public: dict[str, Any] = {"auth_method": ClientAuthMethod.NONE, "grant_types": [OidcGrant.SIGN_IN]}
    await make_client(issuing, bank, "app", **public)
    assert await tried() is None, "which of them"
    assert await tried(client_id="app") is not None
    issuing.settings.jwt_issuer = ""
    assert await tried(client_id="app") is None, "no issuer"


@pytest.mark.parametrize(
    "parameters",
    [{"sub": "x"}, {"iss": "x"}, {"aud": "x"}, {"a": 1}, {"a": {}}, {f"a{n}": "" for n in range(21)}],
)
async def test_tk_11_parameters_are_no_claims(issuing: Core, bank: str, api: Api, parameters: Any) -> None:
    await make_client(issuing, bank, "web")
    wanted = {"applicationId": bank, "userId": "alice", "amr": ["swk"]}
    assert await api.ok("jwt/issue", **wanted, clientParameters={"theme": "x"})
    status, body = await api.post("jwt/issue", **wanted, clientParameters=parameters)
    refused = body["responseObject"]
    assert (status, refused["code"], refused["error"]) == (400, "ERR_JWT_GRANT", "invalid_request")


async def test_a_token_has_a_bounded_size(issuing: Core, bank: str) -> None:
    await make_client(issuing, bank, "web")
    with pytest.raises(GrantRefused, match="too large"):
        await signed_in(issuing, bank, client_parameters={f"a{n}": "x" * 500 for n in range(20)})


@pytest.mark.parametrize(
    ("uv", "be", "amr", "acr"),
    [
        (True, False, ["webauthn", "hwk", "user", "mfa"], "urn:pa:2fa"),
        (True, True, ["webauthn", "swk", "user", "mfa"], "urn:pa:2fa-synced"),
        (False, True, ["webauthn", "hwk"], "urn:pa:1fa"),
    ],
)
def test_what_a_passkey_proves(uv: bool, be: bool, amr: list[str], acr: str) -> None:
    assert passkey_references(verified=uv, synced=be) == (tuple(amr), acr)


async def test_what_is_over_is_forgotten(issuing: Core, bank: str, api: Api, later: Later) -> None:
    await make_client(issuing, bank, "web")
    issued = await signed_in(issuing, bank)
    await api.ok("jwt/revoke", token=issued.access_token)
    await api.ok("jwt/revoke", userId="alice")
    later(days=31)
    await sessions.delete_expired(issuing)
    for table in (JwtSession, RevokedJwt, JwtNotBefore):
        assert await found(issuing, select(func.count()).select_from(table)) == [0]


async def test_names_of_clients_and_audiences_differ(issuing: Core, bank: str, api: Api) -> None:
    sound = {"applicationId": bank, "authMethod": "client_secret_basic", "grantTypes": ["urn:pa:sign-in"]}
    await api.ok("jwt/clients/create", **sound, clientId="web", resources=["payments"])
    for name in ("web", "payments", "userid-api"):
        assert await api.error("jwt/clients/create", **sound, clientId=name) == "ERR_OIDC_CLIENT_EXISTS"
    refused = await api.error("jwt/clients/create", **sound, clientId="other", resources=["web"])
    assert refused == "ERR0024"
