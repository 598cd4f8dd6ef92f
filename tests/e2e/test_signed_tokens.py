"""Signed tokens as clients see them, over HTTP: discovery, keys, grants, and libraries that nobody here wrote
(spec/device-trust.md §2).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import authlib.jose
import httpx2
import joserfc.jwt
import jwt
import pytest
from authlib.common.errors import AuthlibBaseError
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey

from powerauth_cli.all_in_one import AllInOne
from servicekit.serving import free_port

pytestmark = pytest.mark.e2e

CLIENTS = "/admin/applications/bank/oidc-clients"
AUDIENCE = "userid-api"


@dataclass
class Bank:
    """A running stack, an application `bank` in it, and its client `web`."""

    issuer: str
    public: httpx2.AsyncClient
    cloud: httpx2.AsyncClient
    core: httpx2.AsyncClient
    secret: str = ""

    async def administer(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = await self.cloud.request(method, path, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def signed_in(self, **more: Any) -> dict[str, Any]:
        """Tokens of alice, whose presence the bank vouches for."""
        wanted = {"applicationId": "bank", "clientId": "web", "userId": "alice", "amr": ["pwd"]}
        body = {"requestObject": wanted | {"scope": "openid offline_access"} | more}
        answer = await self.core.post("/rest/v3/jwt/issue", json=body)
        assert answer.status_code == 200, answer.text
        issued: dict[str, Any] = answer.json()["responseObject"]
        return issued

    async def post(self, path: str, **form: str) -> httpx2.Response:
        return await self.public.post(path, data=form, auth=("web", self.secret))


@pytest.fixture(scope="module")
async def bank(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bank]:
    """The bank of these tests."""
    port = free_port()
    issuer = f"http://127.0.0.1:{port}/enrollment-server"
    options: dict[str, dict[str, Any]] = {"core": {"jwt_issuer": issuer, "restrict_access": False}}
    folder: Path = tmp_path_factory.mktemp("tokens")
    async with (
        AllInOne(folder, port=port, settings=options) as stack,
        httpx2.AsyncClient(base_url=stack.enrollment_url, timeout=60) as public,
        httpx2.AsyncClient(base_url=stack.cloud_url, auth=stack.admin, timeout=60) as cloud,
        httpx2.AsyncClient(base_url=stack.core_url, timeout=60) as core,
    ):
        bank = Bank(issuer, public, cloud, core)
        await bank.administer("POST", "/admin/applications", {"id": "bank"})
        await bank.administer("POST", f"/admin/users/{stack.admin[0]}/applications/bank")
        made = await bank.administer("POST", CLIENTS, CLIENT)
        bank.secret = made["clientSecret"]
        yield bank


CLIENT = {
    "clientId": "web",
    "authMethod": "client_secret_basic",
    "grantTypes": ["urn:pa:sign-in", "refresh_token"],
    "scopes": ["openid", "offline_access"],
}
Judge = Callable[[str, str, str], dict[str, Any]]
"""Takes token, audience and issuer; gives the claims or raises whatever it raises."""


def by_joserfc(token: str, audience: str, issuer: str) -> dict[str, Any]:
    keys = KeySet.import_key_set(httpx2.get(f"{issuer}/oidc/jwks").json())
    found = joserfc.jwt.decode(token, keys, algorithms=["RS256"])
    wanted: Any = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": audience}}
    joserfc.jwt.JWTClaimsRegistry(leeway=60, **wanted).validate(found.claims)
    return dict(found.claims)


def by_pyjwt(token: str, audience: str, issuer: str) -> dict[str, Any]:
    document = httpx2.get(f"{issuer}/.well-known/openid-configuration").json()
    key = jwt.PyJWKClient(document["jwks_uri"]).get_signing_key_from_jwt(token)
    claims: dict[str, Any] = jwt.decode(
        token, key.key, ["RS256"], audience=audience, issuer=document["issuer"], leeway=60
    )
    return claims


def by_authlib(token: str, audience: str, issuer: str) -> dict[str, Any]:
    keys = authlib.jose.JsonWebKey.import_key_set(httpx2.get(f"{issuer}/oidc/jwks").json())
    wanted = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": audience}}
    claims = authlib.jose.JsonWebToken(["RS256"]).decode(token, keys, claims_options=wanted)
    claims.validate(leeway=60)
    return dict(claims)


# For a key that it does not know Authlib's own JOSE raises a plain ValueError.
REFUSALS = (JoseError, jwt.PyJWTError, AuthlibBaseError, ValueError)
JUDGES: tuple[Judge, ...] = (by_joserfc, by_pyjwt, by_authlib)


async def judged(judge: Judge, token: str, audience: str, issuer: str) -> dict[str, Any]:
    return await asyncio.to_thread(judge, token, audience, issuer)


def forged(token: str, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """The same header and claims, changed, under another key of ours in name."""
    key = RSAKey.generate_key(2048)
    found = jwt.get_unverified_header(token) | header
    content = jwt.decode(token, options={"verify_signature": False}) | claims
    if found["alg"] == "RS256":
        return joserfc.jwt.encode(found, content, key, algorithms=["RS256"])
    secret = "" if found["alg"] == "none" else "x" * 64
    return jwt.encode(content, secret, found["alg"], headers=found)


@pytest.mark.parametrize("judge", JUDGES)
async def test_libraries_of_others_accept_what_is_issued(bank: Bank, judge: Judge) -> None:
    issued = await bank.signed_in(nonce="n-1")
    access = await judged(judge, issued["accessToken"], AUDIENCE, bank.issuer)
    identity = await judged(judge, issued["idToken"], "web", bank.issuer)
    assert (access["sub"], access["client_id"], identity["nonce"]) == ("alice", "web", "n-1")


@pytest.mark.parametrize("judge", JUDGES)
async def test_libraries_of_others_refuse_the_rest(bank: Bank, judge: Judge) -> None:
    token = (await bank.signed_in())["accessToken"]
    now = int(time.time())
    spoiled = [
        (forged(token, {}, {}), AUDIENCE, bank.issuer),
        (forged(token, {"alg": "none"}, {}), AUDIENCE, bank.issuer),
        (forged(token, {"alg": "HS256"}, {}), AUDIENCE, bank.issuer),
        (forged(token, {"kid": "unknown"}, {}), AUDIENCE, bank.issuer),
        (forged(token, {}, {"exp": now - 61}), AUDIENCE, bank.issuer),
        (token, "somebody-else", bank.issuer),
        (token[:-4] + "AAAA", AUDIENCE, bank.issuer),
    ]
    for each in spoiled:
        with pytest.raises(REFUSALS):
            await judged(judge, *each)


async def test_a_client_refreshes_asks_and_gives_back(bank: Bank) -> None:
    first = await bank.signed_in()
    answer = await bank.post("/oidc/token", grant_type="refresh_token", refresh_token=first["refreshToken"])
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    second = answer.json()
    assert second["session_id"] == first["sessionId"]
    told = (await bank.post("/oidc/token/introspection", token=second["access_token"])).json()
    assert (told["active"], told["sub"], told["iss"]) == (True, "alice", bank.issuer)
    bearer = {"Authorization": f"Bearer {second['access_token']}"}
    assert (await bank.public.get("/oidc/userinfo", headers=bearer)).json() == {"sub": "alice"}
    assert (await bank.post("/oidc/token/revocation", token=second["refresh_token"])).status_code == 200
    assert (await bank.post("/oidc/token/introspection", token=second["access_token"])).json() == {
        "active": False
    }
    gone = await bank.public.get("/oidc/userinfo", headers=bearer)
    assert (gone.status_code, gone.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    stranger = await bank.public.post("/oidc/token", data={"grant_type": "refresh_token", "client_id": "web"})
    assert (stranger.status_code, stranger.json()["error"]) == (401, "invalid_client")


async def test_clients_and_keys_are_administered(bank: Bank) -> None:
    other = CLIENT | {
        "clientId": "app",
        "useAppKeys": True,
        "defaultClaims": {"roles": ["r"]},
        "accessTtl": 60,
    }
    made = await bank.administer("POST", CLIENTS, other)
    await bank.administer("POST", CLIENTS, other, status=409)
    secret = made.pop("clientSecret")
    assert await bank.administer("GET", f"{CLIENTS}/app") == made
    renewed = await bank.administer("POST", f"{CLIENTS}/app/secret")
    assert renewed["clientSecret"] != secret
    changed = await bank.administer("PUT", f"{CLIENTS}/app", other | {"scopes": ["openid"]})
    assert (changed["scopes"], "clientSecret" in changed) == (["openid"], False)
    own = "/admin/applications/bank/signing-keys"
    [signing] = (await bank.administer("GET", own))["keys"]
    published = (await bank.public.get("/app/bank/oidc/jwks")).json()
    assert published == {"keys": [signing["publicJwk"]]}
    document = (await bank.public.get("/app/bank/.well-known/openid-configuration")).json()
    assert document["issuer"] == f"{bank.issuer}/app/bank"
    assert (await bank.public.get("/app/nobody/oidc/jwks")).status_code == 404
    key = RSAKey.generate_key(2048)
    uploaded = {"name": "ours", "jwk": key.as_dict(private=True)}
    taken = await bank.administer("POST", f"{own}/upload", uploaded)
    assert taken["kid"] == key.thumbprint()
    assert "d" not in taken["publicJwk"]
    await bank.administer("POST", f"{own}/upload", uploaded, status=409)
    refused = await bank.administer("POST", f"{own}/upload", {"name": "x", "jwk": {"kty": "oct"}}, status=400)
    assert refused["responseObject"]["violations"][0]["fieldName"] == "jwk"
    path = f"{own}/{taken['id']}"
    assert (await bank.administer("PUT", path, {"status": "signing"}))["status"] == "signing"
    await bank.administer("DELETE", path, status=409)
    assert (await bank.administer("PUT", path, {"status": "disabled", "name": "old"}))["name"] == "old"
    await bank.administer("DELETE", path)
    await bank.administer("DELETE", path, status=404)
    shared = await bank.administer("POST", "/admin/signing-keys", {"name": "next"})
    assert shared["id"] in [
        each["id"] for each in (await bank.administer("GET", "/admin/signing-keys"))["keys"]
    ]
    await bank.administer("PUT", f"/admin/signing-keys/{shared['id']}", {"status": "disabled"})
    await bank.administer("DELETE", f"/admin/signing-keys/{shared['id']}")
    await bank.administer("DELETE", f"{CLIENTS}/app")
    await bank.administer("DELETE", f"{CLIENTS}/app", status=404)


async def test_a_backend_vouches_for_a_user(bank: Bank) -> None:
    made = await bank.administer(
        "POST", "/v2/device-bindings", {"userId": "alice", "appId": "bank", "ttl": 60}
    )
    assert len(made["bindingTicket"]) == 43
    assert 0 < made["timestampExpires"] - time.time() * 1000 <= 60_000
    for _ in range(2):
        assert await bank.administer("DELETE", f"/v2/device-bindings/{made['bindingTicket']}") == {
            "status": "OK"
        }
    for body in ({"userId": "alice", "appId": "foreign"}, {"userId": "alice", "appId": "bank", "ttl": 1}):
        refused = await bank.administer("POST", "/v2/device-bindings", body, status=400)
        assert refused["responseObject"]["code"] == "ERROR_REQUEST"
