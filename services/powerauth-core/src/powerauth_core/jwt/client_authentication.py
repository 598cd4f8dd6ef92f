"""Who asks at the token endpoints (spec/device-trust.md §2.5; RFC 6749 §2.3, RFC 7523)."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from powerauth_contracts import moments
from powerauth_contracts.enums import ClientAuthMethod
from powerauth_core.applications.cache import ApplicationIdentity
from powerauth_core.jwt import repository, rules
from powerauth_core.jwt.models import OidcClient
from powerauth_core.jwt.ports import Ports
from powerauth_core.jwt.rules import TokenRefused
from powerauth_core.jwt.verification import read_token
from powerauth_core.kernel.enums import UniqueValueType
from powerauth_core.kernel.errors import CoreError
from powerauth_core.kernel.records import oidc_secret_parts
from powerauth_core.kernel.token_errors import GrantRefused
from powerauth_core.replay import service as replay
from powerauth_core.replay.rules import MARGIN_MS, Once
from powerauth_protocol.common.json_text import read_json
from servicekit import clock

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_ALGORITHMS = ("RS256", "PS256", "ES256")
LONGEST_ASSERTION_SECONDS = 600
"""How far ahead an assertion may end: so long its `jti` is remembered."""
TOKEN_PATH = "/oidc/token"  # noqa: S105 a path


@dataclass(frozen=True, slots=True)
class ShownClient:
    """A client by what a request shows of it, unproved.

    :ivar proof: secret or assertion
    """

    client_id: str
    method: ClientAuthMethod
    proof: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Client:
    """A client that showed who it is, or needs not."""

    row: OidcClient
    application: ApplicationIdentity

    @property
    def is_confidential(self) -> bool:
        """Whether it showed it."""
        return self.row.auth_method != ClientAuthMethod.NONE


def refused() -> GrantRefused:
    """What a client hears that does not show who it is."""
    return GrantRefused("invalid_client", "client authentication failed")


def shown_client(authorization: str | None, form: Mapping[str, str]) -> ShownClient:
    """The client of a request.

    :param authorization: value of the header
    :raises GrantRefused: it shows none, or shows it in several ways
    """
    ways = [
        authorization is not None,
        "client_secret" in form,
        "client_assertion" in form or "client_assertion_type" in form,
    ]
    if sum(ways) > 1:
        raise GrantRefused("invalid_request", "the client must be authenticated in one way")
    if authorization is not None:
        return _same(_basic(authorization), form)
    if "client_assertion" in form or "client_assertion_type" in form:
        return _same(_asserted(form), form)
    client_id = form.get("client_id")
    if not client_id:
        raise refused()
    secret = form.get("client_secret")
    if secret is None:
        return ShownClient(client_id, ClientAuthMethod.NONE)
    return ShownClient(client_id, ClientAuthMethod.SECRET_POST, secret)


def _same(shown: ShownClient, form: Mapping[str, str]) -> ShownClient:
    if form.get("client_id", shown.client_id) != shown.client_id:
        raise GrantRefused("invalid_request", "client_id is of another client")
    return shown


def _basic(authorization: str) -> ShownClient:
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise refused()
    try:
        name, colon, secret = b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (NotBase64, ValueError):
        raise refused() from None
    if not colon or not name:
        raise refused()
    return ShownClient(unquote_plus(name), ClientAuthMethod.SECRET_BASIC, unquote_plus(secret))


def _asserted(form: Mapping[str, str]) -> ShownClient:
    assertion = form.get("client_assertion", "")
    if form.get("client_assertion_type") != ASSERTION_TYPE:
        raise refused()
    try:
        _header, claims = read_token(assertion)
    except TokenRefused:
        raise refused() from None
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject:
        raise refused()
    return ShownClient(subject, ClientAuthMethod.PRIVATE_KEY_JWT, assertion)


async def authenticated(ports: Ports, shown: ShownClient) -> Client:
    """The client, which is who it says.

    :raises GrantRefused: it is not; unknown ones are told the same
    """
    async with ports.database.read() as session:
        row = await repository.client(session, shown.client_id)
        application = (
            None if row is None else await ports.application_cache.by_rid(session, row.application_id)
        )
    if row is None or application is None or not row.sound or row.auth_method != shown.method:
        raise refused()
    if shown.method is ClientAuthMethod.PRIVATE_KEY_JWT:
        await _check_assertion(ports, row, shown.proof)
    elif shown.method is not ClientAuthMethod.NONE and not await _has_secret(ports, row, shown.proof):
        raise refused()
    return Client(row, application)


async def _has_secret(ports: Ports, row: OidcClient, secret: str) -> bool:
    if row.secret_hash is None:
        return False
    parts = oidc_secret_parts(row.client_id)
    try:
        stored = ports.cipher.decrypt_text(row.secret_hash_encryption, parts, row.secret_hash)
    except CoreError:
        return False
    proved = ports.proved_secrets
    if proved.is_known(row.client_id, stored, secret):
        return True
    matches = await ports.hashes.matches(row.client_id, secret, stored)
    if matches:
        proved.remember(row.client_id, stored, secret)
    return matches


async def _check_assertion(ports: Ports, row: OidcClient, assertion: str) -> None:
    claims = _signed_claims(row, assertion)
    base = ports.settings.jwt_issuer
    if base not in (audience.removesuffix(TOKEN_PATH) for audience in rules.audiences(claims)):
        raise refused()
    jti, expires = claims["jti"], claims["exp"]
    name = hashlib.sha256(f"{row.client_id}\0{jti}".encode()).hexdigest()
    until = moments.from_ms(expires * 1000 + MARGIN_MS)
    once = Once(name, UniqueValueType.CLIENT_ASSERTION, until)
    async with ports.database.transaction() as session:
        is_new = await replay.store(session, once)
    if not is_new:
        raise refused()


def _signed_claims(row: OidcClient, assertion: str) -> Mapping[str, Any]:
    from joserfc import jws  # noqa: PLC0415 - most processes see no assertion
    from joserfc.errors import JoseError  # noqa: PLC0415
    from joserfc.jwk import KeySet  # noqa: PLC0415

    try:
        header, claims = read_token(assertion)
        if not rules.DANGEROUS_HEADERS.isdisjoint(header):
            raise TokenRefused
        keys = KeySet.import_key_set(read_json(row.jwks or '{"keys":[]}'))
        if "kid" not in header and len(keys.keys) != 1:
            raise TokenRefused
        jws.deserialize_compact(assertion, keys, algorithms=ASSERTION_ALGORITHMS)
        rules.check_assertion(claims, row.client_id, LONGEST_ASSERTION_SECONDS, clock.now())
    except (TokenRefused, JoseError, ValueError):
        raise refused() from None
    return claims
