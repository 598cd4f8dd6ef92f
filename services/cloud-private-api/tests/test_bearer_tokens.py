"""OAuth 2.0 resource server (spec/cloud-api.md §1.3)."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from cloud_client import Client, Service, Start, settings_of
from cloud_fake_core import FakeCore
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, OctKey, RSAKey

from cloud_private_api.app import build
from cloud_private_api.auth.bearer import BearerAuthenticator, claim, texts
from cloud_private_api.auth.key_source import KeySource, KeysUnavailable
from cloud_private_api.settings import CloudSettings
from servicekit.calls.client import AsgiTransport
from servicekit.start_rules import StartRefused
from servicekit.startup import embedded_settings

ISSUER = "https://idp.example"
LIST = "/v2/registrations?userId=u"
CHALLENGE = 'Bearer realm="powerauth-cloud"'
FAR_FUTURE = 9_999_999_999
"""Seconds: whenever the test runs."""

RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
OTHER = RSAKey.generate_key(2048, {"kid": "rsa-2"})
EC = ECKey.generate_key("P-256", {"kid": "ec-1"})


class Issuer:
    """Serves a discovery document and keys."""

    def __init__(self, *keys: RSAKey | ECKey) -> None:
        self.keys = list(keys)
        self.issuer = ISSUER
        self.status = 200
        self.requests: list[str] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request.url.path)
        if request.url.path.endswith("openid-configuration"):
            content = {"issuer": self.issuer, "jwks_uri": f"{ISSUER}/keys"}
            return httpx2.Response(self.status, json=content)
        return httpx2.Response(self.status, json=KeySet(list(self.keys)).as_dict(private=False))

    def source(self, jwk_set_uri: str = "") -> KeySource:
        return KeySource(ISSUER, jwk_set_uri, transport=httpx2.MockTransport(self))


SETTINGS = {
    "security_auth_type": "OAUTH2",
    "security_auth_oauth2_issuer_uri": ISSUER,
    "security_auth_oauth2_audiences": "cloud,other",
    "security_auth_oauth2_own_issuer": f"{ISSUER}/enrollment-server",
    "security_auth_oauth2_algorithms": "RS256,ES256",
}


def _token(key: Any = RSA, header: dict[str, Any] | None = None, **changed: Any) -> str:
    claims = {
        "iss": ISSUER,
        "aud": "cloud",
        "sub": "bank",
        "exp": FAR_FUTURE,
        "roles": ["USER"],
        "applications": ["app-a"],
        **changed,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    algorithm = {"RSA": "RS256", "EC": "ES256", "oct": "HS256"}[key.key_type]
    header = {"alg": algorithm, "kid": key.kid, **(header or {})}
    return jwt.encode(header, claims, key, algorithms=[header["alg"]])


Connect = Callable[..., Client]


@pytest_asyncio.fixture
async def service(core: FakeCore, database_url: str, shared_app: FastAPI) -> AsyncGenerator[Service]:
    """The service with bearer tokens; its error family is still that of Basic."""
    cloud = build(settings_of(database_url, **SETTINGS), AsgiTransport(core))
    shared_app.state.cloud = cloud
    yield Service(shared_app, cloud, core)
    cloud.passwords.close()
    await cloud.authenticator.close()
    await cloud.database.dispose()


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(RSA, EC)


@pytest.fixture
def connect(service: Service, issuer: Issuer) -> Connect:
    """A client with a token."""
    service.core.application("app-a")
    authenticator = service.cloud.authenticator
    assert isinstance(authenticator, BearerAuthenticator)
    authenticator._keys = issuer.source()
    return lambda token: service.anonymous(Authorization=f"Bearer {token}")


Bearer = Callable[[str], Client]


@pytest_asyncio.fixture
async def bearer(start: Start, core: FakeCore, issuer: Issuer) -> Bearer:
    """A client with a token, of a service that has the error family of bearer tokens too."""
    core.application("app-a")
    service = await start(**SETTINGS)
    authenticator = service.cloud.authenticator
    assert isinstance(authenticator, BearerAuthenticator)
    authenticator._keys = issuer.source()
    return lambda token: service.anonymous(Authorization=f"Bearer {token}")


@pytest.mark.parametrize("key", [RSA, EC], ids=["RS256", "ES256"])
async def test_signed_token_of_the_issuer(connect: Connect, core: FakeCore, key: Any) -> None:
    bank = connect(_token(key))
    await bank.ok("GET", LIST)
    assert core.last("activation/list")["applicationIds"] == ["app-a"]
    await bank.refused("GET", "/admin/users", status=403, code="HTTP_403")


async def test_roles_are_taken_as_the_admin_api_shows_them(connect: Connect) -> None:
    await connect(_token(roles=["ROLE_ADMIN"])).ok("GET", "/admin/users")
    await connect(_token(roles="ROLE_USER")).ok("GET", LIST)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"exp": 1}, "the token has expired"),
        ({"exp": None}, "the token lacks the claim exp"),
        ({"exp": "soon"}, "the claim exp is not acceptable"),
        ({"nbf": FAR_FUTURE}, "the claim nbf is not acceptable"),
        ({"iss": "https://other.example"}, "the claim iss is not acceptable"),
        ({"iss": None}, "the token lacks the claim iss"),
        ({"iss": f"{ISSUER}/enrollment-server"}, "the claim iss is not acceptable"),
        ({"aud": "someone"}, "the claim aud is not acceptable"),
        ({"aud": None}, "the token lacks the claim aud"),
        ({"aud": []}, "the claim aud is not acceptable"),
        ({"sub": None}, "the claim that names the caller is missing or no text"),
        ({"sub": ""}, "the claim that names the caller is missing or no text"),
        ({"sub": "a\x00"}, "the claim that names the caller is missing or no text"),
        ({"sub": 7}, "the claim sub is not acceptable"),
    ],
)
async def test_token_that_is_not_for_us(bearer: Bearer, changed: dict[str, Any], reason: str) -> None:
    answer = await bearer(_token(**changed)).send("GET", LIST)
    assert answer.status_code == 401
    assert (
        answer.headers["www-authenticate"]
        == f'{CHALLENGE}, error="invalid_token", error_description="{reason}"'
    )


async def test_a_role_that_is_missing_is_named(bearer: Bearer) -> None:
    for roles, has in (("USER", "ROLE_USER"), ("user", "no role")):
        answer = await bearer(_token(roles=roles)).send("GET", "/admin/users")
        reason = f"needs ROLE_ADMIN, the caller has {has}"
        assert (answer.status_code, answer.headers["www-authenticate"]) == (
            403,
            f'{CHALLENGE}, error="insufficient_scope", error_description="{reason}"',
        )


async def test_clock_may_differ_by_a_minute(connect: Connect) -> None:
    await connect(_token(exp=int(time.time()) - 30)).ok("GET", LIST)
    await connect(_token(nbf=int(time.time()) + 30)).ok("GET", LIST)


def _tampered() -> str:
    token = _token()
    head, payload, signature = token.split(".")
    return f"{head}.{payload}.{signature[:-4]}AAAA"


@pytest.mark.parametrize(
    "make",
    [
        lambda: "",
        lambda: "a.b.c",
        lambda: "x" * 7000,
        _tampered,
        lambda: _token(OTHER),
        lambda: _token(OTHER, {"kid": "rsa-1"}),
        lambda: _token(RSA, {"alg": "PS256"}),
        lambda: _token(OctKey.import_key("secret-of-32-bytes-for-the-hmac!"), {"kid": "rsa-1"}),
        lambda: "eyJhbGciOiJub25lIn0.e30.",
    ],
)
async def test_token_that_is_not_signed_by_the_issuer(connect: Connect, make: Callable[[], str]) -> None:
    await connect(make()).refused("GET", LIST, status=401, code="HTTP_401")


async def test_challenge_asks_for_a_token(start: Start) -> None:
    service = await start(**SETTINGS)
    response = await service.anonymous().send("GET", LIST)
    assert response.headers["www-authenticate"] == CHALLENGE


async def test_basic_does_not_work_beside_it(service: Service, connect: Connect) -> None:
    bank = await service.user("bank", ["app-a"])
    await bank.refused("GET", LIST, status=401, code="HTTP_401")
    await service.anonymous().refused("GET", LIST, status=401, code="HTTP_401")


async def test_user_of_that_name_brings_its_applications(service: Service, connect: Connect) -> None:
    await service.user("bank", ["app-b"], roles=["ROLE_ADMIN"])
    await connect(_token()).ok("GET", LIST)
    assert service.core.last("activation/list")["applicationIds"] == ["app-b"]
    await connect(_token()).refused("GET", "/admin/users", status=403, code="HTTP_403")
    await connect(_token(roles="USER ADMIN")).ok("GET", "/admin/users")


async def test_disabled_user_of_that_name_is_out(service: Service, connect: Connect) -> None:
    await service.user("bank", ["app-a"])
    await service.user("root", roles=["ROLE_ADMIN"])
    await connect(_token(sub="root", roles=["ADMIN"])).ok("PUT", "/admin/users/bank", {"enabled": False})
    await connect(_token()).refused("GET", LIST, status=401, code="HTTP_401")


@pytest.mark.parametrize("roles", [None, [], ["role_user"], ["user"], "ADMINISTRATOR", {"USER": True}, 1])
async def test_token_without_a_known_role(connect: Connect, roles: Any) -> None:
    await connect(_token(roles=roles)).refused("GET", LIST, status=403, code="HTTP_403")


@pytest.mark.parametrize("applications", [None, "app-a", [], [1, None]])
async def test_token_without_applications(connect: Connect, core: FakeCore, applications: Any) -> None:
    assert await connect(_token(applications=applications)).ok("GET", LIST) == {"registrations": []}
    assert core.paths() == []


def test_claims_are_found_by_name_or_path() -> None:
    claims = {"realm": {"roles": ["A", 1]}, "https://x.y/roles": "B C", "text": "x"}
    assert texts(claim(claims, "realm.roles")) == ["A"]
    assert texts(claim(claims, "https://x.y/roles")) == ["B", "C"]
    assert claim(claims, "text.roles") is None
    assert claim(claims, "none") is None


async def test_keys_are_fetched_once_and_again_for_an_unknown_one(issuer: Issuer) -> None:
    source = issuer.source()
    for _ in range(2):
        assert len((await source.current()).keys) == 2
    assert issuer.requests == ["/.well-known/openid-configuration", "/keys"]
    await source.after_unknown()
    assert len(issuer.requests) == 2
    source._fetched = float("-inf")
    issuer.keys.append(OTHER)
    assert len((await source.after_unknown()).keys) == 3


async def test_rotated_key_is_accepted(connect: Connect, service: Service, issuer: Issuer) -> None:
    await connect(_token()).ok("GET", LIST)
    issuer.keys[:] = [OTHER]
    authenticator = service.cloud.authenticator
    assert isinstance(authenticator, BearerAuthenticator)
    authenticator._keys._fetched = float("-inf")
    await connect(_token(OTHER)).ok("GET", LIST)
    await connect(_token()).refused("GET", LIST, status=401, code="HTTP_401")


async def test_known_keys_are_used_while_the_issuer_is_away(issuer: Issuer) -> None:
    source = issuer.source()
    await source.current()
    issuer.status = 503
    source._fetched = float("-inf")
    assert len((await source.current()).keys) == 2
    assert source._refreshing is not None
    await source._refreshing
    assert len((await source.current()).keys) == 2


async def test_old_keys_are_replaced_beside_the_requests(issuer: Issuer) -> None:
    source = issuer.source()
    await source.current()
    issuer.keys[:] = [OTHER]
    source._fetched = float("-inf")
    assert len((await source.current()).keys) == 2
    assert source._refreshing is not None
    await source._refreshing
    assert [key.kid for key in await source.current()] == ["rsa-2"]
    await source.close()


async def test_without_keys_nobody_is_let_in_or_blamed(connect: Connect, issuer: Issuer) -> None:
    issuer.status = 503
    response = await connect(_token()).send("GET", LIST)
    assert response.status_code == 503


@pytest.mark.parametrize("wrong", ["issuer", "keys"])
async def test_unusable_documents(issuer: Issuer, wrong: str) -> None:
    if wrong == "issuer":
        issuer.issuer = "https://evil.example"
    else:
        issuer.keys.clear()
    with pytest.raises(KeysUnavailable):
        await issuer.source().current()


async def test_address_of_the_keys_may_be_configured(issuer: Issuer) -> None:
    source = issuer.source(f"{ISSUER}/jwks")
    await source.current()
    assert issuer.requests == ["/jwks"]
    await source.close()


@pytest.mark.parametrize(
    "changed",
    [
        {"security_auth_oauth2_audiences": ""},
        {"security_auth_oauth2_issuer_uri": ""},
        {"security_auth_oauth2_algorithms": "HS256"},
        {"security_auth_oauth2_algorithms": "none"},
        {"security_auth_oauth2_algorithms": ""},
        {"security_auth_type": "BOTH"},
    ],
)
def test_incomplete_configuration_stops_the_start(changed: dict[str, str]) -> None:
    ((setting, _),) = changed.items()
    with pytest.raises(StartRefused, match=f"CLOUD_{setting.upper()}"):
        embedded_settings(CloudSettings, **{**SETTINGS, **changed})
