"""A small OpenID provider whose login tests walk through, and an activation provider behind HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

CLIENT_ID, CLIENT_SECRET = "mobile-bank", "client-secret-of-the-bank"
REDIRECT_URI = "https://app.example/callback"
_CODE_SECONDS = 3600


@dataclass
class _Grant:
    """What a login left behind a code."""

    user: str
    nonce: str
    challenge: str | None
    redirect_uri: str
    expires: float


@dataclass
class IdentityProvider:
    """An OpenID provider (authorization code flow, PKCE S256, signing keys that rotate).

    :ivar overrides: claims that the next ID tokens carry instead of the right ones
    """

    overrides: dict[str, Any] = field(default_factory=dict)
    url: str = ""
    token_calls: int = 0
    _keys: list[Any] = field(default_factory=list)
    _signing_key: Any = None
    _grants: dict[str, _Grant] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rotate()

    @property
    def app(self) -> Starlette:
        """The provider over HTTP."""
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self._discovery),
                Route("/keys", self._key_set),
                Route("/authorize", self._authorize),
                Route("/token", self._token, methods=["POST"]),
            ]
        )

    def rotate(self, *, sign_with_old: bool = False) -> None:
        """Publish a new key in place of the old one, and sign with it; or sign with the old one still."""
        key = RSAKey.generate_key(2048, {"kid": secrets.token_hex(4), "use": "sig"})
        self._signing_key = self._keys[0] if sign_with_old else key
        self._keys = [key]

    async def _discovery(self, _request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
            }
        )

    async def _key_set(self, _request: Request) -> Response:
        other = ECKey.generate_key("P-256", {"kid": "unrelated"})
        return JSONResponse({"keys": [key.as_dict(private=False) for key in (*self._keys, other)]})

    async def _authorize(self, request: Request) -> Response:
        """The login page: whoever is named in `login_hint` is logged in."""
        query = request.query_params
        if query["client_id"] != CLIENT_ID or query["redirect_uri"] != REDIRECT_URI:
            return Response("unknown client", 400)
        code = secrets.token_urlsafe(16)
        self._grants[code] = _Grant(
            query["login_hint"],
            query["nonce"],
            query.get("code_challenge"),
            query["redirect_uri"],
            time.time() + _CODE_SECONDS,
        )
        return RedirectResponse(f"{REDIRECT_URI}?{urlencode({'code': code, 'state': query['state']})}")

    async def _token(self, request: Request) -> Response:
        self.token_calls += 1
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return JSONResponse({"error": "invalid_client"}, 401)
        grant = self._grants.pop(form.get("code", ""), None)
        if grant is None or grant.expires < time.time() or form.get("redirect_uri") != grant.redirect_uri:
            return JSONResponse({"error": "invalid_grant"}, 400)
        if grant.challenge is not None and _challenge(form.get("code_verifier", "")) != grant.challenge:
            return JSONResponse({"error": "invalid_grant"}, 400)
        return JSONResponse(
            {"access_token": "access", "token_type": "Bearer", "id_token": self._id_token(grant)}
        )

    def _id_token(self, grant: _Grant) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "sub": grant.user,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 300,
            "nonce": grant.nonce,
            **self.overrides,
        }
        key = self._signing_key
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


@dataclass(frozen=True)
class Login:
    """What an app has after a login: the members of `activate_with_oidc`."""

    code: str
    nonce: str
    code_verifier: str


async def log_in(http: Any, configuration: dict[str, Any], user: str) -> Login:
    """Do what an app and a browser do, with the public configuration that enrollment gives."""
    state, nonce, verifier = (secrets.token_urlsafe(24) for _ in range(3))
    query = {
        "response_type": "code",
        "client_id": configuration["clientId"],
        "redirect_uri": configuration["redirectUri"],
        "scope": configuration["scopes"],
        "state": state,
        "nonce": nonce,
        "login_hint": user,
    }
    if configuration["pkceEnabled"]:
        query |= {"code_challenge": _challenge(verifier), "code_challenge_method": "S256"}
    answer = await http.get(f"{configuration['authorizeUri']}?{urlencode(query)}")
    redirected = parse_qs(urlsplit(answer.headers["location"]).query)
    assert redirected["state"] == [state]
    return Login(redirected["code"][0], nonce, verifier)


def _challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


@dataclass
class HttpActivationService:
    """The bank's own service that decides about custom activations (docs/extending.md)."""

    steps: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def app(self) -> Starlette:
        """The service over HTTP."""
        return Starlette(routes=[Route("/{step}", self._answer, methods=["POST"])])

    def heard(self, step: str) -> list[dict[str, Any]]:
        """The requests of a step."""
        return [content for name, content in self.steps if name == step]

    async def _answer(self, request: Request) -> Response:
        step, content = request.path_params["step"], json.loads(await request.body())
        self.steps.append((step, content))
        if step == "plan":
            return self._plan(content)
        if step == "complete":
            attributes = {"seen": sorted(content["customAttributes"]), "user": content["userId"]}
            asked = content["identityAttributes"].get("commit") == "yes"
            commit = asked or content["type"] == "RECOVERY"
            return JSONResponse({"customAttributes": attributes, "flags": ["BY-HTTP"], "commit": commit})
        return JSONResponse({"revokeRecoveryCodes": True} if step == "plan-removal" else {})

    def _plan(self, content: dict[str, Any]) -> Response:
        identity = content["identityAttributes"]
        if content["type"] == "CUSTOM" and identity.get("pin") != "2468":
            return JSONResponse({"error": "wrong"}, 403)
        return JSONResponse({"userId": identity.get("user"), "maxFailedAttempts": 3})
