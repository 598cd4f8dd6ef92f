"""All fake providers together, and the credentials that they accept."""

from __future__ import annotations

import contextlib
import json
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa

from powerauth_cli.fakes.apple import Apple
from powerauth_cli.fakes.authority import Authority
from powerauth_cli.fakes.google import Google
from powerauth_cli.fakes.http1 import Http1Server
from powerauth_cli.fakes.http2 import Http2Server
from powerauth_cli.fakes.huawei import TOKEN_PATH, Huawei
from powerauth_cli.fakes.keys import FakeKeys, pem
from powerauth_cli.fakes.phones import Phones, Shown

BUNDLE = "com.example.bank"
TEAM, KEY = "TEAM123456", "KEY1234567"
PROJECT = "example-bank"
ACCOUNT = "push@example-bank.iam.gserviceaccount.com"
HMS_PROJECT, HMS_CLIENT, HMS_SECRET = "101000001", "102000002", "an-example-secret"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the servers listen; 0 is any free port."""

    production: int = 0
    development: int = 0
    google: int = 0
    google_token: int = 0
    huawei: int = 0


@dataclass(frozen=True, slots=True)
class FakeProviders:
    """Running servers.

    :ivar apns_key: a `.p8` file
    :ivar fcm_file: a service account's JSON file
    """

    authority: Authority
    phones: Phones
    apple: Apple
    sandbox: Apple
    google: Google
    huawei: Huawei
    production: Http2Server
    development: Http2Server
    fcm: Http2Server
    token: Http1Server
    hms: Http1Server
    apns_key: bytes
    fcm_file: bytes

    def credentials(self) -> dict[str, dict[str, str]]:
        """What an operator uploads of each provider for an application (spec/push-api.md §17)."""
        return {
            "apns": {
                "bundle": BUNDLE,
                "keyId": KEY,
                "teamId": TEAM,
                "environment": "production",
                "privateKeyBase64": b64encode(self.apns_key).decode(),
            },
            "fcm": {"projectId": PROJECT, "privateKeyBase64": b64encode(self.fcm_file).decode()},
            "hms": {"projectId": HMS_PROJECT, "clientId": HMS_CLIENT, "clientSecret": HMS_SECRET},
        }

    def settings(self) -> dict[str, str]:
        """Settings of a push service that uses them."""
        variables = self.environment(self.authority.ca_file)
        return {name.removeprefix("PUSH_").lower(): value for name, value in variables.items()}

    def environment(self, ca_file: Path) -> dict[str, str]:
        """What tells a push service to use them.

        :param ca_file: a copy of the authority's certificate
        """
        return {
            "PUSH_PROVIDERS_CA_FILE": str(ca_file),
            "PUSH_APNS_PRODUCTION_URL": self.production.url,
            "PUSH_APNS_DEVELOPMENT_URL": self.development.url,
            "PUSH_FCM_SEND_MESSAGE_URL": f"{self.fcm.url}/v1/projects/%s/messages:send",
            "PUSH_FCM_TOKEN_URL": self.google.token_url,
            "PUSH_HMS_SEND_MESSAGE_URL": f"{self.hms.url}/v2/%s/messages:send",
            "PUSH_HMS_TOKEN_URL": f"{self.hms.url}{TOKEN_PATH}",
        }


@contextlib.asynccontextmanager
async def fake_providers(
    on_shown: Callable[[Shown], None] | None = None,
    ports: Ports | None = None,
    keep: int = 100_000,
    keys: FakeKeys | None = None,
) -> AsyncIterator[FakeProviders]:
    """Start them all on this machine; they end with the block.

    :param on_shown: hears of each message that a phone gets
    :param keep: how many messages the phones remember
    :param keys: of the credentials that they accept; None: new ones
    """
    ports = ports or Ports()
    phones = Phones(on_shown, keep)
    keys = keys or FakeKeys.made()
    google = Google(phones, {PROJECT}, {ACCOUNT: keys.account.public_key()})
    huawei = Huawei(phones, {HMS_PROJECT}, {HMS_CLIENT: HMS_SECRET})
    known = {(TEAM, KEY): keys.apns.public_key()}
    apple, sandbox = Apple(phones, {BUNDLE}, known), Apple(phones, {BUNDLE}, known)
    async with contextlib.AsyncExitStack() as stack:
        authority = Authority(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fakes-"))))
        apns_tls = authority.server_tls(["h2"], asks_for_certificate=True)
        production = Http2Server(apple, apns_tls, ports.production)
        development = Http2Server(sandbox, apns_tls, ports.development)
        fcm = Http2Server(google.send, authority.server_tls(["h2", "http/1.1"]), ports.google)
        plain = authority.server_tls(["http/1.1"])
        token = Http1Server(google.token, plain, ports.google_token)
        hms = Http1Server(huawei, plain, ports.huawei)
        for server in (production, development, fcm, token, hms):
            await stack.enter_async_context(server)
        for server in (production, development):
            server.manners.first_streams = 1
        google.token_url = f"{token.url}/token"
        yield FakeProviders(
            *(authority, phones, apple, sandbox, google, huawei, production, development, fcm, token, hms),
            apns_key=pem(keys.apns),
            fcm_file=_account_file(keys.account, google.token_url),
        )


def _account_file(key: rsa.RSAPrivateKey, token_url: str) -> bytes:
    members = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "0123456789abcdef",
        "private_key": pem(key).decode(),
        "client_email": ACCOUNT,
        "token_uri": token_url,
    }
    return json.dumps(members).encode()
