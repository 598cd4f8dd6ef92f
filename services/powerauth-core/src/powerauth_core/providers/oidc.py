"""Activation by an OpenID Connect login: the core redeems the code itself (spec/enrollment-api.md §7.5,
D1).

The client secret leaves the core only towards the provider's token endpoint, through the egress client.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import httpx2
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import Field, SecretStr, ValidationError

from powerauth_contracts.wire import WireModel, is_storable
from powerauth_core.activations.rules import is_user_id
from powerauth_core.applications import repository as applications
from powerauth_core.applications.config_keys import OAUTH2_PROVIDERS
from powerauth_core.applications.provider_rules import ALGORITHMS, HTTPS
from powerauth_core.applications.secrets import config_values
from powerauth_core.kernel.egress import Egress, EgressRefused
from powerauth_core.kernel.errors import CoreError, InvalidApplication, InvalidRequest
from powerauth_core.providers.discovery import Fetched
from powerauth_core.providers.ports import Ports
from powerauth_core.settings import CoreSettings
from powerauth_protocol.common.encoding import b64url_encode
from powerauth_protocol.common.json_text import read_json
from servicekit import clock
from servicekit.logs import get_logger

log = get_logger(__name__)

MAX_ANSWER_BYTES = 256 * 1024
SKEW_SECONDS = 60
_NOT_MODIFIED = 304
# at_hash is defined for these.
_HASHES = {
    "RS256": "sha256",
    "RS384": "sha384",
    "RS512": "sha512",
    "ES256": "sha256",
    "ES384": "sha384",
    "ES512": "sha512",
}


class OidcFailed(CoreError):
    """The login could not be turned into a user; the cause is in the log, not in the answer."""

    code = "ERROR_OIDC"
    message = "OpenID Connect activation failed."


class OidcProvider(WireModel):
    """One element of the configuration ``oauth2_providers`` (spec/core-api.md §6)."""

    provider_id: str = Field(min_length=1)
    client_id: str = Field(min_length=1)
    client_secret: SecretStr
    client_authentication_method: Literal["client_secret_basic", "client_secret_post"] = "client_secret_basic"
    issuer_uri: str | None = None
    redirect_uri: str
    token_uri: str | None = None
    jwk_set_uri: str | None = None
    authorize_uri: str | None = None
    scopes: str | None = None
    pkce_enabled: bool = False
    signature_algorithm: str = "RS256"


@dataclass(frozen=True, slots=True)
class _Metadata:
    """Where the provider is. `issuer` is None if nobody has told it."""

    issuer: str | None
    token_uri: str
    jwk_set_uri: str


@dataclass(frozen=True, slots=True)
class LoginStart:
    """What an app needs to start a login at a provider."""

    provider: OidcProvider
    authorize_uri: str | None


async def login_start(ports: Ports, application_key: str, provider_id: str) -> LoginStart:
    """The provider and where its logins begin.

    :raises InvalidApplication: unknown or unsupported application version
    :raises InvalidRequest: the application has no such provider
    """
    provider = await _provider(ports, application_key, provider_id)
    authorize = provider.authorize_uri
    if authorize is None and provider.issuer_uri is not None:
        document = await _discover(ports, provider.issuer_uri)
        authorize = _text(document, "authorization_endpoint") if document is not None else None
    return LoginStart(provider, authorize)


async def user_of(ports: Ports, application_key: str, attributes: Mapping[str, str]) -> str:
    """Redeem the authorization code and return the user that the ID token names.

    :param attributes: ``providerId``, ``code``, ``nonce`` and, with PKCE, ``codeVerifier``
    :raises InvalidApplication: unknown or unsupported application version
    :raises InvalidRequest: an attribute is missing, or the application has no such provider
    :raises OidcFailed: the provider refused, or its ID token is not acceptable
    """
    code, nonce = attributes.get("code"), attributes.get("nonce")
    if not code or not nonce:
        raise InvalidRequest("requestObject.identityAttributes - code and nonce must not be empty")
    provider = await _provider(ports, application_key, attributes.get("providerId", ""))
    verifier = attributes.get("codeVerifier")
    if provider.pkce_enabled and not verifier:
        raise InvalidRequest("requestObject.identityAttributes.codeVerifier - must not be empty")
    metadata = await _metadata(ports, provider)
    tokens = await _redeem(ports.settings, ports.egress, provider, metadata, code, verifier)
    keys = await _key_set(ports.settings, ports.egress, metadata.jwk_set_uri)
    return check_id_token(provider, metadata.issuer, keys, tokens, nonce)


def check_id_token(
    provider: OidcProvider, issuer: str | None, keys: KeySet, tokens: Mapping[str, Any], nonce: str
) -> str:
    """The subject of an acceptable ID token (spec/enrollment-api.md §7.5 step 5).

    :param issuer: required ``iss``, None if unknown
    :param tokens: answer of the token endpoint
    :param nonce: of the authorization request
    :raises OidcFailed: a signature, claim or hash is wrong
    """
    algorithm = provider.signature_algorithm
    id_token = _text(tokens, "id_token")
    if id_token is None or algorithm not in ALGORITHMS:
        raise OidcFailed()
    try:
        claims = jwt.decode(id_token, keys, algorithms=[algorithm]).claims
    except (JoseError, ValueError) as error:
        log.warning("oidc_id_token_refused", error=type(error).__name__)
        raise OidcFailed() from None
    subject = _text(claims, "sub")
    problems = {
        "iss": issuer is not None and claims.get("iss") != issuer,
        "sub": not is_user_id(subject),
        "aud": not _audience_fits(claims, provider.client_id),
        "exp": not _times_fit(claims),
        "nonce": not _same(claims.get("nonce"), nonce),
        "at_hash": not _access_token_fits(claims, algorithm, tokens.get("access_token")),
    }
    wrong = [name for name, found in problems.items() if found]
    if wrong or subject is None:
        log.warning("oidc_id_token_refused", claims=wrong)
        raise OidcFailed()
    return subject


async def _provider(ports: Ports, application_key: str, provider_id: str) -> OidcProvider:
    async with ports.database.read() as session:
        application = await ports.application_cache.by_key(session, application_key)
        if application is None or not application.supported:
            raise InvalidApplication()
        config = await applications.find_config(session, application.application_rid, OAUTH2_PROVIDERS)
    elements = [] if config is None else config_values(ports.cipher, application.application_id, config)
    for element in elements:
        try:
            provider = OidcProvider.model_validate(element)
        except ValidationError:
            continue  # elements that do not parse are passed over (spec/core-api.md §6)
        if provider.provider_id == provider_id:
            return provider
    raise InvalidRequest("requestObject.providerId - no such provider")


async def _metadata(ports: Ports, provider: OidcProvider) -> _Metadata:
    """Discovery first, the configured addresses when it fails."""
    if provider.issuer_uri is not None:
        document = await _discover(ports, provider.issuer_uri)
        if document is not None:
            token_uri, keys_uri = _text(document, "token_endpoint"), _text(document, "jwks_uri")
            if token_uri is not None and keys_uri is not None:
                return _Metadata(_text(document, "issuer"), token_uri, keys_uri)
    if provider.token_uri is None or provider.jwk_set_uri is None:
        raise OidcFailed()
    return _Metadata(provider.issuer_uri, provider.token_uri, provider.jwk_set_uri)


async def _discover(ports: Ports, issuer_uri: str) -> dict[str, Any] | None:
    uri = f"{issuer_uri.rstrip('/')}/.well-known/openid-configuration"
    document = await ports.discovery.get(uri, lambda etag: _fetch(ports.settings, ports.egress, uri, etag))
    # A document for somebody else would lend its keys to this issuer (OpenID Connect Discovery §4.3).
    return document if document is not None and document.get("issuer") == issuer_uri else None


async def _fetch(settings: CoreSettings, egress: Egress, uri: str, etag: str | None) -> Fetched | None:
    known = {} if etag is None else {"If-None-Match": etag}
    try:
        answer, content = await _send(settings, egress, "GET", uri, headers=known)
        not_modified = etag is not None and answer.status_code == _NOT_MODIFIED
        document = None if not_modified else _object(answer, content)
    except OidcFailed:
        return None
    return Fetched(document, answer.headers.get("ETag"), answer.headers.get("Cache-Control", ""))


async def _redeem(
    settings: CoreSettings,
    egress: Egress,
    provider: OidcProvider,
    metadata: _Metadata,
    code: str,
    verifier: str | None,
) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "client_id": provider.client_id,
        "code": code,
        "redirect_uri": provider.redirect_uri,
    }
    if verifier:
        form["code_verifier"] = verifier
    secret = provider.client_secret.get_secret_value()
    auth = None
    if provider.client_authentication_method == "client_secret_post":
        form["client_secret"] = secret
    else:
        auth = httpx2.BasicAuth(provider.client_id, secret)
    return await _json(settings, egress, "POST", metadata.token_uri, data=form, auth=auth)


async def _key_set(settings: CoreSettings, egress: Egress, uri: str) -> KeySet:
    document = await _json(settings, egress, "GET", uri)
    try:
        return KeySet.import_key_set(document)  # type: ignore[arg-type]
    except (JoseError, ValueError, KeyError, TypeError):
        log.warning("oidc_keys_unreadable")
        raise OidcFailed() from None


async def _json(
    settings: CoreSettings,
    egress: Egress,
    method: str,
    uri: str,
    *,
    data: dict[str, str] | None = None,
    auth: httpx2.BasicAuth | None = None,
) -> dict[str, Any]:
    """A JSON object from the provider; raises as `_send`."""
    return _object(*await _send(settings, egress, method, uri, data=data, auth=auth))


async def _send(
    settings: CoreSettings,
    egress: Egress,
    method: str,
    uri: str,
    *,
    headers: Mapping[str, str] | None = None,
    data: dict[str, str] | None = None,
    auth: httpx2.BasicAuth | None = None,
) -> tuple[httpx2.Response, bytes]:
    """The provider's answer: https only outside tests, no redirects, bounded in size and time.

    :raises OidcFailed: there is none
    """
    _check_address(settings, egress, uri)
    request = egress.http.build_request(
        method,
        uri,
        data=data,
        headers={"Accept": "application/json", **(headers or {})},
        timeout=settings.oidc_timeout_seconds,
    )
    try:
        answer = await egress.http.send(request, auth=auth, stream=True)
        try:
            return answer, await _bounded(answer)
        finally:
            await answer.aclose()
    except httpx2.HTTPError as error:
        log.warning("oidc_call_failed", error=type(error).__name__)
        raise OidcFailed() from None


def _check_address(settings: CoreSettings, egress: Egress, uri: str) -> None:
    """Providers name addresses too, in their discovery documents: these were judged by nobody yet."""
    refused = not uri.startswith(HTTPS) and settings.environment != "test"
    try:
        egress.policy.check_url(uri)
    except EgressRefused:
        refused = True
    if refused:
        log.warning("oidc_address_refused")
        raise OidcFailed()


def _object(answer: httpx2.Response, content: bytes) -> dict[str, Any]:
    try:
        document = read_json(content) if answer.is_success else None
    except ValueError as error:
        log.warning("oidc_call_failed", error=type(error).__name__)
        raise OidcFailed() from None
    if not isinstance(document, dict):
        log.warning("oidc_call_refused", http_status=answer.status_code)
        raise OidcFailed()
    return document


async def _bounded(answer: httpx2.Response) -> bytes:
    content = b""
    async for chunk in answer.aiter_bytes():
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise OidcFailed()
    return content


def _audience_fits(claims: Mapping[str, Any], client_id: str) -> bool:
    audience = claims.get("aud")
    audiences = [audience] if isinstance(audience, str) else audience
    if not isinstance(audiences, list) or client_id not in audiences:
        return False
    authorized = claims.get("azp")
    if authorized is None:
        return len(audiences) == 1
    return bool(authorized == client_id)


def _times_fit(claims: Mapping[str, Any]) -> bool:
    now = clock.now_ms() / 1000
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int | float) or not isinstance(expires, int | float):
        return False
    return issued <= now + SKEW_SECONDS and expires > now - SKEW_SECONDS


def _access_token_fits(claims: Mapping[str, Any], algorithm: str, access_token: object) -> bool:
    expected = claims.get("at_hash")
    if expected is None:
        return True
    name = _HASHES.get(algorithm)
    if name is None or not isinstance(access_token, str):
        return False
    found = hashlib.new(name, access_token.encode()).digest()
    return _same(expected, b64url_encode(found[: len(found) // 2]))


def _same(received: object, expected: str) -> bool:
    return isinstance(received, str) and hmac.compare_digest(received.encode(), expected.encode())


def _text(members: Mapping[str, Any], name: str) -> str | None:
    value = members.get(name)
    return value if isinstance(value, str) and value and is_storable(value) else None
