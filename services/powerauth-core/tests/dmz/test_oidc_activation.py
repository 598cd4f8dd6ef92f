"""Activation by an OpenID Connect login (enrollment-api §7.5, §16; D1 rule 2)."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
import pytest_asyncio
from core_test_api import Api, NewApplication, TestApplication
from core_test_phones import Stored
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from powerauth_contracts.enums import ActivationStatus
from powerauth_core.applications.provider_rules import ALGORITHMS
from powerauth_core.providers.oidc import OidcFailed, OidcProvider, check_id_token
from powerauth_sdk.phone import Phone

if TYPE_CHECKING:
    from dmz.conftest import Door, WebServer


KEY = RSAKey.generate_key(2048, {"kid": "k1"})
EC_KEY = ECKey.generate_key("P-256", {"kid": "e1"})
KEYS: Any = {"keys": [key.as_dict(private=False) for key in (KEY, EC_KEY)]}


def at_hash(token: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()[:16]).decode().rstrip("=")


def id_token(claims: dict[str, Any], algorithm: str = "RS256", key: Any = KEY) -> str:
    return jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key, algorithms=[algorithm])


class Issuer:
    """An identity provider with one user."""

    def __init__(self) -> None:
        self.url = ""
        self.claims: dict[str, Any] = {}
        self.forms: list[dict[str, list[str]]] = []
        self.discovery = True
        self.told: dict[str, str] = {}
        self.token_status = 200

    async def __call__(self, path: str, body: bytes) -> tuple[int, bytes]:
        if path == "/.well-known/openid-configuration":
            document = {
                "issuer": self.url,
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
                "authorization_endpoint": f"{self.url}/authorize",
            } | self.told
            return (200, json.dumps(document).encode()) if self.discovery else (404, b"{}")
        if path == "/keys":
            return 200, json.dumps(KEYS).encode()
        self.forms.append(parse_qs(body.decode()))
        tokens = {"access_token": "access", "id_token": id_token(self.right() | self.claims)}
        return self.token_status, json.dumps(tokens).encode()

    def right(self) -> dict[str, Any]:
        """Claims of an acceptable ID token."""
        return {
            "iss": self.url,
            "sub": "carol",
            "aud": "app-client",
            "iat": int(time.time()),
            "exp": int(time.time()) + 86_400,
            "nonce": "n-1",
            "at_hash": at_hash("access"),
        }


@pytest_asyncio.fixture
async def issuer(api: Api, application: TestApplication, web_server: WebServer) -> Issuer:
    """The provider ``bank-login`` of the test application, with PKCE."""
    made = Issuer()
    made.url = await web_server(made)
    await configure(api, made)
    return made


async def configure(api: Api, issuer: Issuer, **changes: Any) -> None:
    provider = {
        "providerId": "bank-login",
        "clientId": "app-client",
        "clientSecret": "s3cret-of-client",
        "issuerUri": issuer.url,
        "redirectUri": "app://login",
        "scopes": "openid",
        "pkceEnabled": True,
    } | changes
    await api.ok(
        "application/config/create",
        applicationId="test-application",
        key="oauth2_providers",
        values=["not an object", {"providerId": "broken"}, provider],
    )


@pytest.fixture
def device(application: TestApplication) -> Phone:
    """A device without an activation."""
    return Phone(application.app)


IDENTITY = {
    "method": "oidc",
    "providerId": "bank-login",
    "code": "c-1",
    "nonce": "n-1",
    "codeVerifier": "v-1",
}


async def request_of(door: Door, device: Phone, **changes: Any) -> tuple[dict[str, Any], Any]:
    sealed = await device.layer2(door.call)
    identity = {name: value for name, value in (IDENTITY | changes).items() if value is not None}
    return {
        "applicationKey": device.app.key,
        "protocolVersion": device.version.value,
        "type": "DIRECT",
        "identityAttributes": identity,
        "activationData": sealed.fields,
    }, sealed


async def test_login_creates_an_active_activation_of_the_subject(
    door: Door, device: Phone, issuer: Issuer, stored: Stored
) -> None:
    request, sealed = await request_of(door, device)
    answer = await door.api.ok("activation/create", **request)
    device.accept(sealed, answer["activationData"])
    assert answer["activationStatus"] == "ACTIVE"
    row = await stored(device)
    assert (row.user_id, row.activation_status) == ("carol", ActivationStatus.ACTIVE)
    assert issuer.forms == [
        {
            "grant_type": ["authorization_code"],
            "client_id": ["app-client"],
            "code": ["c-1"],
            "redirect_uri": ["app://login"],
            "code_verifier": ["v-1"],
        }
    ]


async def test_secret_is_posted_when_the_provider_wants_it_so(
    api: Api, door: Door, device: Phone, issuer: Issuer
) -> None:
    await configure(api, issuer, clientAuthenticationMethod="client_secret_post")
    request, _ = await request_of(door, device)
    await door.api.ok("activation/create", **request)
    assert issuer.forms[0]["client_secret"] == ["s3cret-of-client"]


async def test_configured_addresses_are_used_when_discovery_fails(
    api: Api, door: Door, device: Phone, issuer: Issuer
) -> None:
    issuer.discovery = False
    request, _ = await request_of(door, device)
    assert await door.api.error("activation/create", **request) == "ERROR_OIDC"
    await configure(api, issuer, tokenUri=f"{issuer.url}/token", jwkSetUri=f"{issuer.url}/keys")
    request, _ = await request_of(door, device)
    await door.api.ok("activation/create", **request)


@pytest.mark.parametrize(
    "address", ["https://[::1", "https://idp..example/", "https://idp/\n", "idp", "https://"]
)
@pytest.mark.parametrize("name", ["token_endpoint", "jwks_uri"])
async def test_a_provider_that_names_no_usable_address_fails_the_login(
    door: Door, device: Phone, issuer: Issuer, name: str, address: str
) -> None:
    issuer.told = {name: address}
    request, _ = await request_of(door, device)
    assert await door.api.error("activation/create", **request) == "ERROR_OIDC"


async def test_incomplete_or_foreign_login_is_refused(door: Door, device: Phone, issuer: Issuer) -> None:
    for changes, code in (
        ({"providerId": "other"}, "ERR0024"),
        ({"code": None}, "ERR0024"),
        ({"nonce": None}, "ERR0024"),
        ({"codeVerifier": None}, "ERR0024"),
        ({"nonce": "another"}, "ERROR_OIDC"),
    ):
        request, _ = await request_of(door, device, **changes)
        assert await door.api.error("activation/create", **request) == code, changes


WRONG_CLAIMS: list[dict[str, Any]] = [
    {"iss": "https://else.where"},
    {"aud": "another"},
    {"aud": ["app-client", "another"]},
    {"aud": ["app-client"], "azp": "another"},
    {"exp": 1},
    {"iat": 9_999_999_999},
    {"exp": None},
    {"sub": ""},
    {"sub": "x" * 256},
    {"sub": "x" + " " * 255},
    {"sub": " " * 200 + "x" * 56},
    {"sub": "carol\x00"},
    {"sub": "\ud800"},
    {"sub": " \t"},
    {"sub": 7},
    {"nonce": None},
    {"at_hash": "AAAA"},
]


async def test_id_token_that_does_not_fit_is_refused(door: Door, device: Phone, issuer: Issuer) -> None:
    for claims in WRONG_CLAIMS:
        issuer.claims = claims
        request, _ = await request_of(door, device)
        assert await door.api.error("activation/create", **request) == "ERROR_OIDC", claims


async def test_provider_that_refuses_the_code_ends_the_login(
    door: Door, device: Phone, issuer: Issuer
) -> None:
    issuer.token_status = 400
    request, _ = await request_of(door, device)
    assert await door.api.error("activation/create", **request) == "ERROR_OIDC"


# -- a captured host ---------------------------------------------------------------------------------------


async def test_captured_host_cannot_name_the_subject(
    door: Door, device: Phone, issuer: Issuer, stored: Stored
) -> None:
    """Whatever it adds, the user is the subject of the ID token that the core obtained."""
    forged = {"sub": "mallory", "userId": "mallory", "idToken": id_token(issuer.right() | {"sub": "mallory"})}
    request, sealed = await request_of(door, device, **forged)
    request |= {"userId": "mallory", "flags": ["ADMIN"], "customAttributes": {"userId": "mallory"}}
    answer = await door.api.ok("activation/create", **request)
    device.accept(sealed, answer["activationData"])
    row = await stored(device)
    assert (row.user_id, row.flags) == ("carol", [])


async def test_captured_host_cannot_send_a_login_again(door: Door, device: Phone, issuer: Issuer) -> None:
    request, _ = await request_of(door, device)
    await door.api.ok("activation/create", **request)
    # This provider would take its code a second time; the second layer is good once.
    assert await door.api.error("activation/create", **request) == "ERR0024"


@pytest.mark.parametrize("kind", ["CODE", "CUSTOM", "RECOVERY"])
async def test_captured_host_cannot_turn_a_login_into_another_type(
    door: Door, device: Phone, issuer: Issuer, kind: str
) -> None:
    request, _ = await request_of(door, device)
    assert (await door.api.error("activation/create", **(request | {"type": kind}))).startswith("ERR")
    assert issuer.forms == []


async def test_captured_host_cannot_use_another_applications_provider(
    door: Door, device: Phone, issuer: Issuer, new_application: NewApplication
) -> None:
    other = await new_application("other")
    stranger = Phone(other.app)
    request, _ = await request_of(door, stranger)
    assert (await door.api.error("activation/create", **request)).startswith("ERR")
    # Nor send the inner layer of one application with the key of the other.
    request, _ = await request_of(door, device)
    request["applicationKey"] = other.application_key
    assert (await door.api.error("activation/create", **request)).startswith("ERR")
    assert issuer.forms == []


async def test_captured_host_gets_no_provider_secret(door: Door, device: Phone, issuer: Issuer) -> None:
    request, _ = await request_of(door, device)
    answers = [
        await door.api.ok("activation/create", **request),
        await door.api.ok("application/public", applicationKey=device.app.key, providerId="bank-login"),
    ]
    assert "s3cret-of-client" not in json.dumps(answers)


async def test_app_is_told_only_the_public_part(door: Door, device: Phone, issuer: Issuer) -> None:
    answer = await door.api.ok("application/public", applicationKey=device.app.key, providerId="bank-login")
    assert answer == {
        "providerId": "bank-login",
        "clientId": "app-client",
        "scopes": "openid",
        "authorizeUri": f"{issuer.url}/authorize",
        "redirectUri": "app://login",
        "pkceEnabled": True,
    }
    for key, provider in (("unknown", "bank-login"), (device.app.key, "other")):
        request = {"applicationKey": key, "providerId": provider}
        assert await door.api.error("application/public", **request) in {"ERR0015", "ERR0024"}


def provider_of(**changes: Any) -> OidcProvider:
    members = {"providerId": "p", "clientId": "app-client", "clientSecret": "s", "redirectUri": "r"}
    return OidcProvider.model_validate(members | changes)


@pytest.mark.parametrize(
    ("configured", "algorithm", "key"),
    [("RS256", "RS512", KEY), ("ES256", "RS256", KEY), ("RS256", "ES256", EC_KEY)],
)
def test_only_the_configured_algorithm_is_accepted(configured: str, algorithm: str, key: Any) -> None:
    claims = Issuer().right() | {"iss": "i"}
    tokens = {"id_token": id_token(claims, algorithm, key), "access_token": "access"}
    provider = provider_of(signatureAlgorithm=configured)
    with pytest.raises(OidcFailed):
        check_id_token(provider, "i", KeySet.import_key_set(KEYS), tokens, "n-1")


@pytest.mark.parametrize("algorithm", ["HS256", "none", "dir"])
def test_algorithms_without_a_private_key_are_never_accepted(algorithm: str) -> None:
    assert algorithm not in ALGORITHMS
    claims = Issuer().right() | {"iss": "i"}
    tokens = {"id_token": id_token(claims), "access_token": "access"}
    with pytest.raises(OidcFailed):
        check_id_token(
            provider_of(signatureAlgorithm=algorithm), "i", KeySet.import_key_set(KEYS), tokens, "n-1"
        )


def test_elliptic_curve_key_and_several_audiences_are_accepted() -> None:
    claims = Issuer().right() | {"iss": "i", "aud": ["app-client", "b"], "azp": "app-client"}
    tokens = {"id_token": id_token(claims, "ES256", EC_KEY), "access_token": "access"}
    provider = provider_of(signatureAlgorithm="ES256")
    assert check_id_token(provider, "i", KeySet.import_key_set(KEYS), tokens, "n-1") == "carol"
