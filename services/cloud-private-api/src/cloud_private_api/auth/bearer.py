"""OAuth 2.0 resource server: signed JWTs of one issuer (spec/cloud-api.md §1.3)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    InvalidKeyIdError,
    JoseError,
    MissingClaimError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from joserfc.jwt import ClaimsOption, JWTClaimsRegistry

from cloud_private_api.access.rules import ROLES, Caller
from cloud_private_api.accounts.directory import UserDirectory
from cloud_private_api.auth.key_source import KeySource
from cloud_private_api.auth.login import Login
from cloud_private_api.errors import REALM, Unauthorized
from cloud_private_api.settings import SecuritySettings
from powerauth_contracts.wire import is_storable
from servicekit.callers import parse_bearer
from servicekit.logs import get_logger

CLOCK_SKEW_SECONDS = 60
MAX_TOKEN = 8192
_ROLE_PREFIX = "ROLE_"

_REASONS: Mapping[type[Exception], str] = {
    ExpiredTokenError: "the token has expired",
    BadSignatureError: "the signature does not verify",
    InvalidKeyIdError: "the issuer has no key of this id",
    UnsupportedAlgorithmError: "the algorithm is not allowed",
}

_log = get_logger(__name__)


class BearerAuthenticator:
    """Checks tokens: signature, algorithm, issuer, audience, time; then roles and applications."""

    challenge = f'Bearer realm="{REALM}"'

    def __init__(
        self, settings: SecuritySettings, directory: UserDirectory, keys: KeySource | None = None
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._keys = keys or KeySource(
            settings.security_auth_oauth2_issuer_uri, settings.security_auth_oauth2_jwk_set_uri
        )
        # Other header members (x5t and the like) are harmless: they are not used.
        self._registry = JWSRegistry(
            algorithms=list(settings.security_auth_oauth2_algorithms), strict_check_header=False
        )
        self._registry.max_header_length = MAX_TOKEN
        self._claims = _claims_registry(settings)

    async def authenticate(self, login: Login) -> Caller:
        """The caller behind an ``Authorization`` header.

        :raises Unauthorized: no token, or one that fails any check
        """
        token = parse_bearer(login.authorization)
        if not token or len(token) > MAX_TOKEN:
            raise Unauthorized
        try:
            return await self._caller(await self._verified_claims(token))
        except (JoseError, ValueError, TypeError) as error:
            refusal = Unauthorized(_reason(error))
        except Unauthorized as error:
            refusal = error
        _log.info("token refused", reason=refusal.reason)
        raise refusal

    async def close(self) -> None:
        """Let go of connections."""
        await self._keys.close()

    async def _verified_claims(self, token: str) -> Mapping[str, Any]:
        try:
            claims = self._decode(token, await self._keys.current())
        except InvalidKeyIdError:
            claims = self._decode(token, await self._keys.after_unknown())
        self._claims.validate(dict(claims))
        self._refuse_own_issuer(claims)
        return claims

    def _decode(self, token: str, keys: KeySet) -> Mapping[str, Any]:
        return jwt.decode(token, keys, registry=self._registry).claims

    def _refuse_own_issuer(self, claims: Mapping[str, Any]) -> None:
        own = self._settings.security_auth_oauth2_own_issuer
        issuer = str(claims.get("iss", ""))
        if own and (issuer == own or issuer.startswith(f"{own}/")):
            raise Unauthorized("tokens of this issuer are for end users")

    async def _caller(self, claims: Mapping[str, Any]) -> Caller:
        username = claim(claims, self._settings.security_auth_oauth2_principal_claim)
        if not isinstance(username, str) or not username or not is_storable(username):
            raise Unauthorized("the claim that names the caller is missing or no text")
        roles = texts(claim(claims, self._settings.security_auth_oauth2_roles_claim))
        authorities = frozenset(_ROLE_PREFIX + role.removeprefix(_ROLE_PREFIX) for role in roles) & ROLES
        if not authorities:
            _log.info("token without a role", claim=self._settings.security_auth_oauth2_roles_claim)
        facts = await self._directory.find(username)
        if facts is None:
            named = claim(claims, self._settings.security_auth_oauth2_applications_claim)
            applications = sorted(set(texts(named))) if isinstance(named, list) else []
            return Caller(username, authorities, tuple(applications))
        if not facts.enabled:
            raise Unauthorized("the user is disabled")
        return Caller(username, authorities, facts.applications)


def _reason(error: Exception) -> str:
    """Why a token is refused, in words of ours: the library's may quote the token."""
    for kind, text in _REASONS.items():
        if isinstance(error, kind):
            return text
    # Names of claims are those that we or the standard ask for, never the token's own.
    if isinstance(error, MissingClaimError):
        return f"the token lacks the claim {error.claim}"
    if isinstance(error, InvalidClaimError):
        return f"the claim {error.claim} is not acceptable"
    return "the token is not readable"


def _claims_registry(settings: SecuritySettings) -> JWTClaimsRegistry:
    options: dict[str, ClaimsOption] = {
        "exp": {"essential": True},
        "aud": {"essential": True, "values": list(settings.security_auth_oauth2_audiences)},
    }
    if settings.security_auth_oauth2_issuer_uri:
        options["iss"] = {"essential": True, "value": settings.security_auth_oauth2_issuer_uri}
    return JWTClaimsRegistry(now=lambda: int(time.time()), leeway=CLOCK_SKEW_SECONDS, **options)


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by a dotted path; None when there is none."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def texts(value: Any) -> Sequence[str]:
    """A claim of several texts: an array of strings, or one string of words."""
    if isinstance(value, str):
        return value.split()
    if isinstance(value, list):
        return [item for item in value if isinstance(item, str) and is_storable(item)]
    return ()
