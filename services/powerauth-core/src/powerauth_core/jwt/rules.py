"""What stands in signed tokens and what makes one acceptable (spec/device-trust.md §2.3, §2.4, §2.7)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import quote, unquote

from powerauth_contracts.enums import OidcGrant, SigningKeyStatus

ALGORITHM = "RS256"
DEFAULT_RESOURCE = "userid-api"
"""Audience of access tokens for which none was asked, and the only one that this product accepts itself."""
LEEWAY = 60
MAX_TOKEN_BYTES = 8_192
MAX_HEADER_BYTES = 512
MINIMUM_KEY_BITS = 2048
PUBLIC_EXPONENT = 65_537
MAX_PARAMETERS = 20
MAX_NESTING = 8
OFFLINE_ACCESS = "offline_access"
OPENID = "openid"
_APPLICATION = "/app/"
_LONGEST_ID = 255
DANGEROUS_HEADERS = frozenset({"crit", "jku", "jwk", "x5c", "x5u"})
"""By which a token would say itself what it is verified with."""


class TokenKind(StrEnum):
    """Kinds of tokens by their ``typ``."""

    ACCESS = "at+jwt"
    ID = "JWT"
    DEVICE = "device+jwt"


class KeySource(StrEnum):
    """Where a signing key is from."""

    GLOBAL = "global"
    GENERATED = "generated"
    UPLOADED = "uploaded"


class SubjectType(StrEnum):
    """Whose earlier tokens are not accepted."""

    USER = "USER"
    DEVICE = "DEVICE"
    SESSION = "SESSION"
    KEY_SCOPE = "KEY_SCOPE"


TOKEN_GRANTS = (OidcGrant.REFRESH, OidcGrant.CLIENT_CREDENTIALS, OidcGrant.OPERATION)
"""Those that the token endpoint takes."""

RESERVED_CLAIMS = frozenset(
    {
        *("iss", "sub", "aud", "azp", "exp", "iat", "nbf", "jti", "sid", "scope", "client_id", "act", "cnf"),
        *("auth_time", "nonce", "amr", "acr", "tid", "app_id", "app_name", "params", "approval_data"),
        *("username", "preferred_username", "new_user", "groups", "roles", "permissions", "organization"),
        *("webauthn", "webauthn_username", "device_id", "device_key_id", "device_keys"),
    }
)
"""Names that an application's own parameters cannot have."""

SCOPE_CLAIMS: Mapping[str, tuple[str, ...]] = {
    OPENID: ("sub",),
    "profile": ("username", "preferred_username", "app_id", "app_name", "tid"),
    "roles": ("groups", "roles", "permissions", "organization"),
}
"""What the user-info endpoint tells by scope."""

ACR_VALUES = ("0", "urn:pa:1fa", "urn:pa:2fa", "urn:pa:2fa-synced")
_FIRST, _SECOND = "urn:pa:1fa", "urn:pa:2fa"

SIGNED_WITH: Mapping[str, tuple[tuple[str, ...], str]] = {
    "possession": (("swk",), _FIRST),
    "possession_knowledge": (("swk", "pin", "mfa"), _SECOND),
    "possession_biometry": (("hwk", "bio", "mfa"), _SECOND),
    "possession_knowledge_biometry": (("hwk", "pin", "bio", "mfa"), _SECOND),
}
"""``amr`` and ``acr`` of PowerAuth's signature types (§2.4). Nothing tells the core whether an app keeps its
possession key in hardware, so it claims no more than software."""


def passkey_references(*, verified: bool, synced: bool) -> tuple[tuple[str, ...], str]:
    """``amr`` and ``acr`` of a sign-in with a passkey (§2.4).

    :param verified: UV
    :param synced: BE
    """
    if not verified:
        return ("webauthn", "hwk"), _FIRST
    kept = "swk" if synced else "hwk"
    return ("webauthn", kept, "user", "mfa"), "urn:pa:2fa-synced" if synced else _SECOND


class TokenRefused(Exception):
    """A token is not acceptable; why is for nobody outside."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token has to be for.

    :ivar issuer: exact
    :ivar audience: one of these has to be among the token's; None: not asked
    """

    kind: TokenKind
    issuer: str
    audience: Collection[str] | None


def issuer_of(base: str, application_id: str | None) -> str:
    """The issuer of tokens of the keys of all, or of an application's own."""
    return base if application_id is None else f"{base}{_APPLICATION}{quote(application_id, safe='')}"


def application_of(base: str, issuer: object) -> str | None:
    """Whose keys an issuer has: an application's id, None for the keys of all.

    :raises TokenRefused: no issuer of ours
    """
    if issuer == base:
        return None
    prefix = f"{base}{_APPLICATION}"
    if not isinstance(issuer, str) or not issuer.startswith(prefix):
        raise TokenRefused
    application_id = unquote(issuer.removeprefix(prefix))
    if issuer_of(base, application_id) != issuer:
        raise TokenRefused
    return application_id


def kid_of(header: Mapping[str, Any], kind: TokenKind) -> str:
    """The name of the key that a token says it is signed with (§2.7 rules 1 and 2).

    :raises TokenRefused: a header that no token of ours has
    """
    kid, typ = header.get("kid"), header.get("typ")
    if not DANGEROUS_HEADERS.isdisjoint(header) or header.get("alg") != ALGORITHM:
        raise TokenRefused
    if not isinstance(typ, str) or typ.lower() != kind.value.lower():
        raise TokenRefused
    if not isinstance(kid, str) or not kid:
        raise TokenRefused
    return kid


def check_claims(claims: Mapping[str, Any], expected: Expected, now: datetime) -> None:
    """§2.7 rule 4.

    :raises TokenRefused: they are not acceptable
    """
    seconds = seconds_of(now)
    expires, issued, begins = claims.get("exp"), claims.get("iat"), claims.get("nbf", 0)
    for moment in (expires, issued, begins):
        if type(moment) is not int:
            raise TokenRefused
    assert isinstance(expires, int)
    assert isinstance(issued, int)
    if expires <= seconds - LEEWAY or max(issued, begins) > seconds + LEEWAY:
        raise TokenRefused
    if claims.get("iss") != expected.issuer:
        raise TokenRefused
    needed = ("jti",) if expected.kind is TokenKind.DEVICE else ("sub", "jti")
    if not all(isinstance(claims.get(name), str) and claims[name] for name in needed):
        raise TokenRefused
    if expected.audience is not None and set(expected.audience).isdisjoint(audiences(claims)):
        raise TokenRefused


def check_assertion(claims: Mapping[str, Any], client_id: str, longest: int, now: datetime) -> None:
    """Whether claims of a client's assertion are its own, and of now (RFC 7523 §3); not whom they are for.

    :param longest: how far ahead it may end, in seconds
    :raises TokenRefused: they are not
    """
    seconds, jti = seconds_of(now), claims.get("jti")
    expires, issued, begins = claims.get("exp"), claims.get("iat", seconds), claims.get("nbf", seconds)
    if not all(type(moment) is int for moment in (expires, issued, begins)):
        raise TokenRefused
    assert isinstance(expires, int)
    if not seconds - LEEWAY < expires <= seconds + longest or max(issued, begins) > seconds + LEEWAY:
        raise TokenRefused
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise TokenRefused
    if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_ID:
        raise TokenRefused
    audiences(claims)


def audiences(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """The claim ``aud``, a text or several.

    :raises TokenRefused: it is neither
    """
    found = claims.get("aud")
    several = found if isinstance(found, list) else [found]
    if not several or not all(isinstance(each, str) for each in several):
        raise TokenRefused
    return tuple(several)


def is_recent(claims: Mapping[str, Any], max_age: int, now: datetime) -> bool:
    """Whether the user was there at most so many seconds ago (§2.7 rule 5)."""
    since = claims.get("auth_time")
    return type(since) is int and since >= seconds_of(now) - max_age


def seconds_of(moment: datetime) -> int:
    """Seconds since the epoch of a naive UTC moment."""
    return (moment - datetime(1970, 1, 1)) // timedelta(seconds=1)


def moment_of(seconds: int) -> datetime:
    """The naive UTC moment of seconds since the epoch."""
    return datetime(1970, 1, 1) + timedelta(seconds=seconds)


def words(text: str) -> tuple[str, ...]:
    """What stands in a list that is separated by spaces."""
    return tuple(text.split())


def granted_scope(allowed: Collection[str], asked: Sequence[str]) -> tuple[str, ...] | None:
    """What is granted of a scope, each once; None: something of it is not the client's to ask for."""
    return tuple(dict.fromkeys(asked)) if set(asked) <= set(allowed) else None


def refused_parameter(parameters: Mapping[str, Any]) -> str | None:
    """What is wrong with an application's own parameters (§2.3 ``params``); None: nothing."""
    if len(parameters) > MAX_PARAMETERS:
        return f"must have at most {MAX_PARAMETERS} members"
    for name, value in parameters.items():
        if name in RESERVED_CLAIMS:
            return f"must not contain {name}"
        if not isinstance(value, str):
            return "must contain texts"
    return None


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """A signing key as rotation sees it.

    :ivar signs_from: None: it has not signed
    """

    id: str
    status: SigningKeyStatus
    created: datetime
    signs_from: datetime | None
    retired: datetime | None
    disabled: datetime | None
    has_private_key: bool


@dataclass(frozen=True, slots=True)
class RotationPeriods:
    """When keys change.

    :ivar rotation: how long a key signs
    :ivar publish_ahead: how long its successor is published before
    :ivar overlap: how long it is published after it signed
    :ivar erasure: how long after that its private key is kept
    """

    rotation: timedelta
    publish_ahead: timedelta
    overlap: timedelta
    erasure: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class RotationSteps:
    """What the rotation does with the keys of a scope (§2.6).

    :ivar creates_successor: make a key that is published
    :ivar promoted: id of the key that signs from now on
    """

    creates_successor: bool = False
    promoted: str | None = None
    disabled: tuple[str, ...] = ()
    erased: tuple[str, ...] = ()


def successor_in(keys: Sequence[KeyFacts]) -> KeyFacts | None:
    """The key that is published to sign next: the one that waits longest."""
    waiting = [
        key
        for key in keys
        if key.status is SigningKeyStatus.VALIDATING and key.signs_from is None and key.has_private_key
    ]
    return min(waiting, key=lambda key: key.created, default=None)


def rotation_of(keys: Sequence[KeyFacts], periods: RotationPeriods, now: datetime) -> RotationSteps:
    """What is due in a scope."""
    signing = next((key for key in keys if key.status is SigningKeyStatus.SIGNING), None)
    successor = successor_in(keys)
    creates, promoted = False, None
    if signing is not None and signing.signs_from is not None:
        age = now - signing.signs_from
        creates = successor is None and age >= periods.rotation - periods.publish_ahead
        if successor is not None and age >= periods.rotation:
            promoted = successor.id if now - successor.created >= periods.publish_ahead else None
    return RotationSteps(
        creates,
        promoted,
        tuple(key.id for key in keys if _is_over(key, now - periods.overlap)),
        tuple(key.id for key in keys if _is_erased(key, now - periods.erasure)),
    )


def _is_over(key: KeyFacts, before: datetime) -> bool:
    return key.status is SigningKeyStatus.VALIDATING and key.retired is not None and key.retired <= before


def _is_erased(key: KeyFacts, before: datetime) -> bool:
    return key.has_private_key and key.disabled is not None and key.disabled <= before
