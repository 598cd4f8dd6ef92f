"""A stored secret goes only where it was meant for (D29): the rule over every stored secret."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from servicekit.kept_secrets import (
    CALLBACK_SECRETS,
    MASK,
    OIDC_SECRETS,
    StoredSecret,
    address,
    member,
    to_be_given_anew,
)

CALLBACK = {
    "callbackUrl": "https://bank.example/callback",
    "authentication": {
        "httpBasic": {"enabled": True, "username": "u", "password": "s"},
        "oauth2": {"tokenUri": "https://id.example/token", "clientId": "c", "clientSecret": "s"},
        "certificate": {
            "enabled": True,
            "useCustomKeyStore": True,
            "keyStoreLocation": "client.p12",
            "keyStorePassword": "s",
            "keyAlias": "a",
            "keyPassword": "s",
            "useCustomTrustStore": True,
            "trustStoreLocation": "trust.p12",
            "trustStorePassword": "s",
        },
    },
}
PROVIDER = {
    "clientId": "c",
    "clientSecret": "s",
    "issuerUri": "https://id.example",
    "tokenUri": "https://id.example/token",
    "userInfoUri": "https://id.example/me",
    "redirectUri": "app://login",
}
_PASSWORD, _SECRET = "authentication.httpBasic.password", "authentication.oauth2.clientSecret"
_KEY_STORE, _KEY, _TRUST = [
    f"authentication.certificate.{name}" for name in ("keyStorePassword", "keyPassword", "trustStorePassword")
]
_SENT = (_PASSWORD, _SECRET, _KEY_STORE, _KEY)
_CERTIFICATE = "authentication.certificate"


def changed(
    members: Mapping[str, Any], secrets: tuple[StoredSecret, ...], keep: object, **changes: Any
) -> Any:
    """An update that keeps every secret in the given way and changes other members by their path."""
    update = copy.deepcopy(dict(members))
    paths = {secret.member: keep for secret in secrets} | {
        path.replace("__", "."): value for path, value in changes.items()
    }
    for path, value in paths.items():
        section, _, name = path.rpartition(".")
        (member(update, section) if section else update)[name] = value
    return update


@pytest.mark.parametrize("keep", [None, MASK])
@pytest.mark.parametrize(
    ("path", "value", "names"),
    [
        ("callbackUrl", "https://evil.example/callback", _SENT),
        ("callbackUrl", "http://bank.example/callback", _SENT),
        ("callbackUrl", "https://bank.example:8443/callback", _SENT),
        ("callbackUrl", "https://bank.example/other", _SENT),
        ("callbackUrl", "https://bank.example\\@evil.example/callback", _SENT),
        ("callbackUrl", "HTTPS://Bank.Example:443/callback?source=2", ()),
        ("authentication.oauth2.tokenUri", "https://evil.example/token", (_SECRET, _KEY_STORE, _KEY)),
        ("authentication.oauth2.tokenUri", None, (_SECRET, _KEY_STORE, _KEY)),
        ("authentication.oauth2.clientId", "d", ()),
        ("authentication.httpBasic.username", "v", ()),
        ("authentication.httpBasic.enabled", False, ()),
        (f"{_CERTIFICATE}.keyStoreLocation", "other.p12", (_KEY_STORE, _KEY)),
        (f"{_CERTIFICATE}.keyAlias", "b", (_KEY,)),
        (f"{_CERTIFICATE}.trustStoreLocation", "other.p12", (_PASSWORD, _SECRET, _TRUST)),
        (f"{_CERTIFICATE}.useCustomTrustStore", False, (_PASSWORD, _SECRET)),
        (f"{_CERTIFICATE}.enabled", False, (_PASSWORD, _SECRET)),
    ],
)
def test_secrets_of_a_callback(path: str, value: object, names: tuple[str, ...], keep: object) -> None:
    update = changed(CALLBACK, CALLBACK_SECRETS, keep, **{path: value})
    assert set(to_be_given_anew(CALLBACK_SECRETS, CALLBACK, update)) == set(names)


@pytest.mark.parametrize(
    ("path", "value", "asked"),
    [
        ("issuerUri", "https://evil.example", True),
        ("tokenUri", "https://evil.example/token", True),
        ("tokenUri", None, True),
        ("userInfoUri", "https://evil.example/me", True),
        ("clientAuthenticationMethod", "client_secret_post", True),
        ("clientAuthenticationMethod", "client_secret_basic", False),
        ("clientId", "d", False),
        ("redirectUri", "app://other", False),
    ],
)
def test_secret_of_a_provider(path: str, value: object, asked: bool) -> None:
    update = changed(PROVIDER, OIDC_SECRETS, MASK, **{path: value})
    assert to_be_given_anew(OIDC_SECRETS, PROVIDER, update) == (["clientSecret"] if asked else [])


@pytest.mark.parametrize(
    ("members", "secrets", "path"),
    [(CALLBACK, CALLBACK_SECRETS, "callbackUrl"), (PROVIDER, OIDC_SECRETS, "tokenUri")],
)
def test_secrets_that_are_given_cleared_or_not_there_follow_every_address(
    members: Mapping[str, Any], secrets: tuple[StoredSecret, ...], path: str
) -> None:
    elsewhere = {path: "https://evil.example/x"}
    for value in ("new", ""):
        assert to_be_given_anew(secrets, members, changed(members, secrets, value, **elsewhere)) == []
    unset = changed(members, secrets, None)
    assert to_be_given_anew(secrets, unset, changed(members, secrets, None, **elsewhere)) == []


def test_a_section_that_is_left_out_is_cleared() -> None:
    for authentication in ({}, None, {"httpBasic": None}):
        update = {"callbackUrl": "https://evil.example/x", "authentication": authentication}
        assert to_be_given_anew(CALLBACK_SECRETS, CALLBACK, update) == []


@pytest.mark.parametrize("url", ["https://a:b@c/", "https://c:x/", "https://[c/", 7, "not a url"])
def test_what_is_no_plain_url_equals_only_itself(url: object) -> None:
    assert address(url) == address(url)
    assert address(url) != address("https://c/")
