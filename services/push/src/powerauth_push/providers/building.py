"""Clients out of credentials and options; what applications can share, they share."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec

from powerauth_push.providers.apns import ApnsClient
from powerauth_push.providers.credentials import (
    ApnsCredentials,
    ApnsKey,
    FcmCredentials,
    HmsCredentials,
    check_token_url,
)
from powerauth_push.providers.fcm import FcmClient
from powerauth_push.providers.hms import HmsClient
from powerauth_push.providers.http1 import Http1Client
from powerauth_push.providers.http2.sender import Http2Sender
from powerauth_push.providers.messages import Environment
from powerauth_push.providers.network import ClientCertificate, Origin, Route, http2_tls
from powerauth_push.providers.oauth import fetch_token
from powerauth_push.providers.payloads.hms import HmsStyle
from powerauth_push.providers.tokens import AccessToken, ApnsTokens, RenewedToken, google_assertion

_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_PLACE_OF_PROJECT = "%s"


@dataclass(frozen=True, slots=True)
class ApnsOptions:
    """How Apple is reached."""

    production_url: str = "https://api.push.apple.com"
    development_url: str = "https://api.sandbox.push.apple.com"
    use_development: bool = True
    route: Route = field(default_factory=Route)

    def url(self, environment: Environment) -> str:
        """Of one of Apple's services."""
        production = environment is Environment.PRODUCTION
        return self.production_url if production else self.development_url


@dataclass(frozen=True, slots=True)
class FcmOptions:
    """How Google is reached.

    :ivar send_url: with `%s` for the project
    :ivar token_url: empty: the one in the service account's file
    """

    send_url: str = "https://fcm.googleapis.com/v1/projects/%s/messages:send"
    token_url: str = ""
    data_only: bool = False
    route: Route = field(default_factory=Route)


@dataclass(frozen=True, slots=True)
class HmsOptions:
    """How Huawei is reached.

    :ivar send_url: with `%s` for the project
    """

    send_url: str = "https://push-api.cloud.huawei.com/v2/%s/messages:send"
    token_url: str = "https://oauth-login.cloud.huawei.com/oauth2/v3/token"  # noqa: S105 - an address
    style: HmsStyle = field(default_factory=HmsStyle)
    route: Route = field(default_factory=Route)


class Clients:
    """Makes clients. Connections to Google and Huawei serve all applications; Apple's belong to one each."""

    def __init__(
        self,
        apns: ApnsOptions,
        fcm: FcmOptions,
        hms: HmsOptions,
        make_sender: Callable[[Origin, ssl.SSLContext, Route], Http2Sender] = Http2Sender,
    ) -> None:
        self._make_sender = make_sender
        self._apns = apns
        self._fcm = fcm
        self._hms = hms
        self._apns_tokens: dict[tuple[str, str, ec.EllipticCurvePublicNumbers], ApnsTokens] = {}
        self._fcm_sender: Http2Sender | None = None
        self._token_http: dict[Route, Http1Client] = {}

    def apns(self, credentials: ApnsCredentials) -> ApnsClient:
        """For one application."""
        options, by = self._apns, credentials.by
        tls = http2_tls(options.route.ca_file, by if isinstance(by, ClientCertificate) else None)
        served = [Environment.PRODUCTION]
        if options.use_development or credentials.environment is Environment.DEVELOPMENT:
            served.append(Environment.DEVELOPMENT)
        senders = {
            environment: self._make_sender(Origin.of(options.url(environment)), tls, options.route)
            for environment in served
        }
        return ApnsClient(
            credentials.bundle,
            senders,
            self._tokens_of(by) if isinstance(by, ApnsKey) else None,
            credentials.environment,
            use_development=options.use_development,
        )

    def fcm(self, credentials: FcmCredentials) -> FcmClient:
        """For one application.

        :raises CredentialsRefused: they name a token endpoint that is not Google's, and the options none
        """
        options = self._fcm
        if not options.token_url:
            check_token_url(credentials.token_url)
        url = options.send_url.replace(_PLACE_OF_PROJECT, credentials.project_id)
        if self._fcm_sender is None:
            self._fcm_sender = self._make_sender(
                Origin.of(url), http2_tls(options.route.ca_file), options.route
            )
        token_url = options.token_url or credentials.token_url
        http = self._http(options.route)

        async def fetch() -> AccessToken:
            assertion = google_assertion(credentials.account, credentials.key_id, credentials.key, token_url)
            return await fetch_token(http, token_url, {"grant_type": _JWT_BEARER, "assertion": assertion})

        return FcmClient(
            self._fcm_sender, urlsplit(url).path, RenewedToken(fetch), data_only=options.data_only
        )

    def hms(self, credentials: HmsCredentials) -> HmsClient:
        """For one application."""
        options = self._hms
        http = self._http(options.route)
        form: Mapping[str, str] = {
            "grant_type": "client_credentials",
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret,
        }

        async def fetch() -> AccessToken:
            return await fetch_token(http, options.token_url, form)

        url = options.send_url.replace(_PLACE_OF_PROJECT, credentials.project_id)
        return HmsClient(http, url, RenewedToken(fetch), options.style)

    async def close(self, grace_seconds: float = 0.0) -> None:
        """Close what the clients share, after the clients themselves."""
        if self._fcm_sender is not None:
            await self._fcm_sender.close(grace_seconds)
        for http in self._token_http.values():
            await http.close()

    def _tokens_of(self, key: ApnsKey) -> ApnsTokens:
        """Apple counts the tokens of a key, whoever uses it."""
        name = (key.team_id, key.key_id, key.key.public_key().public_numbers())
        if name not in self._apns_tokens:
            self._apns_tokens[name] = ApnsTokens(key.team_id, key.key_id, key.key)
        return self._apns_tokens[name]

    def _http(self, route: Route) -> Http1Client:
        if route not in self._token_http:
            self._token_http[route] = Http1Client(route)
        return self._token_http[route]
