"""Whether a signed token is accepted (spec/device-trust.md §2.7)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationStatus
from powerauth_contracts.fields import is_nested_deeper_than
from powerauth_core.activations import reads as activations
from powerauth_core.applications.cache import ApplicationIdentity
from powerauth_core.jwt import repository, rules
from powerauth_core.jwt.keys import Scope
from powerauth_core.jwt.models import JwtSession
from powerauth_core.jwt.ports import Ports
from powerauth_core.jwt.rules import Expected, SubjectType, TokenKind, TokenRefused
from powerauth_core.kernel.token_errors import AccessTokenInvalid
from powerauth_protocol.common.encoding import b64url_decode
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.json_text import JsonError, read_json
from servicekit import clock
from servicekit.database import fetch_within


@dataclass(frozen=True, slots=True)
class Verified:
    """A token that is accepted.

    :ivar scope: whose keys have signed it
    """

    claims: Mapping[str, Any] = field(repr=False)
    scope: Scope
    application: ApplicationIdentity


@dataclass(frozen=True, slots=True)
class Bearer:
    """Who calls with an access token.

    :ivar device_key_id: key of the device that signed in, if there is one
    :ivar scope: what was granted
    """

    user_id: str
    client_id: str
    application_id: str
    application_rid: int
    session_id: str
    scope: tuple[str, ...]
    device_key_id: str | None
    claims: Mapping[str, Any] = field(repr=False)


async def bearer(
    ports: Ports, session: AsyncSession, token: str, scope: str | None, max_age: int | None = None
) -> Bearer:
    """BEARER(scope, maxAge) of §0.3: the access token of a user, for this product's own endpoints.

    :param scope: what it has to be granted; None: nothing in particular
    :param max_age: how long ago the user may have proved to be there, in seconds
    :raises AccessTokenInvalid: it is not accepted; with `max_age` if only for its age
    """
    audience = (rules.DEFAULT_RESOURCE,)
    try:
        verified = await verify(ports, session, TokenKind.ACCESS, token, audience)
        found = _bearer(verified)
    except TokenRefused:
        raise AccessTokenInvalid from None
    if scope is not None and scope not in found.scope:
        raise AccessTokenInvalid
    if max_age is not None and not rules.is_recent(found.claims, max_age, clock.now()):
        raise AccessTokenInvalid(max_age=max_age)
    return found


def _bearer(verified: Verified) -> Bearer:
    claims = verified.claims
    session_id = claims.get("sid")
    if not isinstance(session_id, str):  # a client's own token is nobody's
        raise TokenRefused
    return Bearer(
        user_id=claims["sub"],
        client_id=claims["client_id"],
        application_id=verified.application.application_id,
        application_rid=verified.application.application_rid,
        session_id=session_id,
        scope=rules.words(claims["scope"]),
        device_key_id=claims.get("device_key_id"),
        claims=claims,
    )


async def verify(
    ports: Ports,
    session: AsyncSession,
    kind: TokenKind,
    token: str,
    audience: Collection[str] | None,
) -> Verified:
    """Rules 1 to 4 and 6.

    :param audience: one of these the token has to be for; None: whomever
    :raises TokenRefused: it is not accepted
    """
    header, claims = read_token(token)
    kid = rules.kid_of(header, kind)
    base = ports.settings.jwt_issuer
    if not base:
        raise TokenRefused
    owner = rules.application_of(base, claims.get("iss"))
    application = await _application(ports, session, claims)
    if owner is not None and owner != application.application_id:
        raise TokenRefused
    scope = None if owner is None else application.application_rid
    key = await ports.jwt_keys.find(session, scope, kid)
    if key is None or not _is_signed(token, key.key):
        raise TokenRefused
    rules.check_claims(claims, Expected(kind, rules.issuer_of(base, owner), audience), clock.now())
    verified = Verified(claims, scope, application)
    if not await is_in_force(ports, session, verified):
        raise TokenRefused
    return verified


async def is_in_force(ports: Ports, session: AsyncSession, verified: Verified) -> bool:
    """Rule 6: neither the token nor what it is of was revoked."""
    claims, application_rid = verified.claims, verified.application.application_rid
    if await repository.is_revoked(session, claims["jti"]):
        return False
    session_id = claims.get("sid")
    row = None if session_id is None else await repository.session_of(session, session_id)
    if session_id is not None and (row is None or not row.sound):
        return False
    devices = claims.get("device_key_id"), claims.get("device_id"), None if row is None else row.device_id
    bounds = [
        (SubjectType.KEY_SCOPE, verified.scope or repository.EVERY_APPLICATION, ""),
        *subject_bounds(application_rid, claims.get("sub"), session_id, *devices),
    ]
    since = await repository.not_before(session, bounds)
    if since is not None and rules.moment_of(claims["iat"]) < since:
        return False
    return row is None or await is_usable(ports, session, row)


def subject_bounds(
    application_rid: int, user_id: str | None, session_id: str | None, *device_ids: str | None
) -> list[tuple[SubjectType, int, str]]:
    """Whose moments concern a token or a session."""
    everywhere = repository.EVERY_APPLICATION
    named = [
        (SubjectType.USER, everywhere, user_id),
        (SubjectType.USER, application_rid, user_id),
        (SubjectType.SESSION, everywhere, session_id),
        *[(SubjectType.DEVICE, everywhere, name) for name in device_ids],
    ]
    return [(kind, rid, name) for kind, rid, name in named if name is not None]


async def goes_on(ports: Ports, session: AsyncSession, row: JwtSession) -> bool:
    """Whether tokens may be issued for a sign-in again: it is usable, neither its user nor its device was
    refused since, and nobody of `session_checks` objects.
    """
    if not await is_usable(ports, session, row):
        return False
    subjects = row.application_id, row.user_id, row.session_id, row.device_id, row.device_key_id
    since = await repository.not_before(session, subject_bounds(*subjects))
    if since is not None and row.timestamp_created < since:
        return False
    for allows in ports.session_checks:
        if not await allows(session, row):
            return False
    return True


async def is_usable(ports: Ports, session: AsyncSession, row: JwtSession) -> bool:
    """Whether a sign-in was not taken back, and the activation or passkey that it was made with is ACTIVE."""
    if row.revoked or row.timestamp_expires <= clock.now():
        return False
    if row.activation_id is None:
        return True
    fetch = partial(fetch_within, session)
    found = await activations.find(fetch, ports.row_macs, row.activation_id)
    return found is not None and found.activation_status is ActivationStatus.ACTIVE


async def _application(ports: Ports, session: AsyncSession, claims: Mapping[str, Any]) -> ApplicationIdentity:
    application_id = claims.get("app_id")
    if not isinstance(application_id, str):
        raise TokenRefused
    found = await ports.application_cache.by_id(session, application_id)
    if found is None:
        raise TokenRefused
    return found


def read_token(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims, unproved (rule 1).

    :raises TokenRefused: no token by its form
    """
    if not token.isascii() or len(token) > rules.MAX_TOKEN_BYTES or token.count(".") != 2:
        raise TokenRefused
    header, payload, _ = token.split(".")
    return _object(header, rules.MAX_HEADER_BYTES), _object(payload, rules.MAX_TOKEN_BYTES)


def _object(segment: str, most: int) -> dict[str, Any]:
    try:
        found = read_json(b64url_decode(segment)) if len(segment) <= most else None
    except (EncodingError, JsonError):
        raise TokenRefused from None
    if not isinstance(found, dict) or is_nested_deeper_than(found, rules.MAX_NESTING):
        raise TokenRefused
    return found


def _is_signed(token: str, key: Any) -> bool:
    from joserfc import jws  # noqa: PLC0415 - most processes see no token
    from joserfc.errors import JoseError  # noqa: PLC0415

    try:
        jws.deserialize_compact(token, key, algorithms=[rules.ALGORITHM])
    except (JoseError, ValueError):
        return False
    return True
