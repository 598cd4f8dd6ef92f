"""Temporary encryption keys: the signed request and its answer (spec/protocol-v3.md §6)."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from powerauth_protocol.common.encoding import b64decode, b64encode, b64url_decode, b64url_encode
from powerauth_protocol.common.errors import EncodingError, KeyFormatError, TokenFormatError
from powerauth_protocol.common.json_text import read_json_object, write_json
from powerauth_protocol.common.kdf import kdf_internal
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3 import ecdsa
from powerauth_protocol.v3.keys import (
    PrivateKey,
    PublicKey,
    TransportKey,
    export_public_key,
    import_public_key,
)

DEFAULT_VALIDITY_MS = 300_000
MAX_CHALLENGE_LENGTH = 128
"""Longest accepted challenge, in characters; clients send 24 (D19)."""

_HS256 = "HS256"
_ES256 = "ES256"


# Values, never changed. Not frozen: that makes them five times as dear.
@dataclass(slots=True)
class TemporaryKeyRequest:
    """Claims of a request.

    :ivar application_key: Base64 text; None if the claim is missing, which the server refuses
    :ivar activation_id: in activation scope only
    :ivar challenge: any text, echoed in the answer; clients send Base64 of 18 random bytes
    :ivar issued_at: seconds since the epoch, ignored by servers
    :ivar expires_at: seconds since the epoch, ignored by servers
    """

    application_key: str | None
    activation_id: str | None = None
    challenge: str | None = None
    issued_at: int | None = None
    expires_at: int | None = None

    @property
    def scope(self) -> Scope:
        """Activation scope exactly if an activation is named."""
        return Scope.APPLICATION if self.activation_id is None else Scope.ACTIVATION

    def to_claims(self) -> dict[str, Any]:
        """Return the JSON claims; absent ones are left out."""
        return _present(
            {
                "applicationKey": self.application_key,
                "activationId": self.activation_id,
                "challenge": self.challenge,
                "iat": self.issued_at,
                "exp": self.expires_at,
            }
        )


# Not frozen either.
@dataclass(slots=True)
class UnverifiedRequest:
    """A parsed request whose MAC has not been checked; the claims only say which key to check with."""

    claims: TemporaryKeyRequest
    signing_input: bytes
    mac: bytes = field(repr=False)

    def verify(self, key16: bytes) -> bool:
        """Check the MAC in constant time.

        :param key16: see `request_signing_key`
        """
        return hmac.compare_digest(hmac.digest(key16, self.signing_input, "sha256"), self.mac)


# Not frozen either.
@dataclass(slots=True)
class TemporaryKey:
    """Claims of an answer.

    :ivar key_id: id of the key, a UUID (claim ``sub``)
    :ivar application_key: echoed
    :ivar activation_id: echoed, in activation scope only
    :ivar challenge: echoed, None if the request had none
    :ivar public_key: the temporary public key
    :ivar issued_at_ms: ms since the epoch
    :ivar expires_at_ms: ms since the epoch
    """

    key_id: str
    application_key: str
    public_key: PublicKey
    issued_at_ms: int
    expires_at_ms: int
    activation_id: str | None = None
    challenge: str | None = None

    @property
    def scope(self) -> Scope:
        """Activation scope exactly if an activation is named."""
        return Scope.APPLICATION if self.activation_id is None else Scope.ACTIVATION

    def to_claims(self) -> dict[str, Any]:
        """Return the JSON claims; absent ones are left out, seconds are floored."""
        return _present(
            {
                "sub": self.key_id,
                "applicationKey": self.application_key,
                "activationId": self.activation_id,
                "challenge": self.challenge,
                "publicKey": b64encode(export_public_key(self.public_key)),
                "iat": self.issued_at_ms // 1000,
                "exp": self.expires_at_ms // 1000,
                "iat_ms": self.issued_at_ms,
                "exp_ms": self.expires_at_ms,
            }
        )


@dataclass(frozen=True, slots=True)
class UnverifiedResponse:
    """A parsed answer whose signature has not been checked."""

    claims: TemporaryKey
    signing_input: bytes
    signature: bytes

    def verify(self, public_key: PublicKey) -> bool:
        """Check the signature.

        :param public_key: master public key, in activation scope the activation's server public key
        """
        return ecdsa.verify(public_key, self.signing_input, self.signature, ecdsa.EcdsaFormat.JOSE)


def request_signing_key(
    scope: Scope, application_secret_raw: bytes, transport_key: TransportKey | None = None
) -> bytes:
    """Return the 16-byte key of the request's MAC (spec/protocol-v3.md §6.2).

    :param application_secret_raw: the 16 decoded bytes of the application secret
    :param transport_key: in activation scope
    :raises KeyFormatError: a key has a wrong length or does not fit the scope
    """
    if len(application_secret_raw) != 16:
        raise KeyFormatError("expected a 16-byte application secret")
    if scope is Scope.APPLICATION:
        if transport_key is not None:
            raise KeyFormatError("application scope has no transport key")
        return application_secret_raw
    if transport_key is None or len(transport_key) != 16:
        raise KeyFormatError("activation scope needs a 16-byte transport key")
    return kdf_internal(transport_key, application_secret_raw)


def build_request_jwt(claims: TemporaryKeyRequest, key16: bytes) -> str:
    """Return the signed request, HS256 with a 16-byte key."""
    signing_input = _signing_input({"alg": _HS256, "typ": "JWT"}, claims.to_claims())
    return f"{signing_input}.{b64url_encode(hmac.digest(key16, signing_input.encode('ascii'), 'sha256'))}"


def parse_request_jwt(text: str) -> UnverifiedRequest:
    """Parse a request; only HS256 is accepted.

    :raises TokenFormatError: not such a token, or a claim is of a wrong type
    """
    payload, signing_input, mac = _split(text, _HS256)
    claims = TemporaryKeyRequest(
        application_key=_text(payload, "applicationKey"),
        activation_id=_text(payload, "activationId"),
        challenge=_text(payload, "challenge"),
        issued_at=_optional_number(payload, "iat"),
        expires_at=_optional_number(payload, "exp"),
    )
    if claims.challenge is not None and len(claims.challenge) > MAX_CHALLENGE_LENGTH:
        raise TokenFormatError("challenge is too long")
    return UnverifiedRequest(claims, signing_input, mac)


def build_response_jwt(claims: TemporaryKey, private_key: PrivateKey) -> str:
    """Return the signed answer, ES256.

    :param private_key: master private key, in activation scope the activation's server private key
    """
    signing_input = _signing_input({"typ": "JWT", "alg": _ES256}, claims.to_claims())
    signature = ecdsa.der_to_jose(ecdsa.sign(private_key, signing_input.encode("ascii")))
    return f"{signing_input}.{b64url_encode(signature)}"


def parse_response_jwt(text: str) -> UnverifiedResponse:
    """Parse an answer; only ES256 is accepted.

    :raises TokenFormatError: not such a token, or a claim is missing or malformed
    """
    payload, signing_input, signature = _split(text, _ES256)
    try:
        public_key = import_public_key(b64decode(_required_text(payload, "publicKey")))
    except (EncodingError, KeyFormatError):
        raise TokenFormatError("publicKey is not a public key") from None
    claims = TemporaryKey(
        key_id=_required_text(payload, "sub"),
        application_key=_required_text(payload, "applicationKey"),
        activation_id=_text(payload, "activationId"),
        challenge=_text(payload, "challenge"),
        public_key=public_key,
        issued_at_ms=_number(payload, "iat_ms"),
        expires_at_ms=_number(payload, "exp_ms"),
    )
    return UnverifiedResponse(claims, signing_input, signature)


def verify_response_jwt(text: str, public_key: PublicKey) -> TemporaryKey:
    """Parse an answer and check its signature.

    The caller still compares challenge, application key and activation id with its request
    (spec/protocol-v3.md §6.6).

    :raises TokenFormatError: malformed, or not signed by this key
    """
    response = parse_response_jwt(text)
    if not response.verify(public_key):
        raise TokenFormatError("wrong signature")
    return response.claims


def _signing_input(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    return f"{b64url_encode(write_json(header))}.{b64url_encode(write_json(claims))}"


def _split(text: str, algorithm: str) -> tuple[dict[str, Any], bytes, bytes]:
    """Return payload, signing input and signature; the algorithm is fixed, never taken from the token."""
    parts = text.split(".", 3)
    if len(parts) != 3:
        raise TokenFormatError("not a signed token")
    try:
        header = read_json_object(b64url_decode(parts[0]))
        payload = read_json_object(b64url_decode(parts[1]))
        signature = b64url_decode(parts[2])
    except EncodingError:
        raise TokenFormatError("not a signed token") from None
    # A critical extension changes the meaning of a token; none is known here.
    if header.get("alg") != algorithm or "crit" in header:
        raise TokenFormatError(f"expected {algorithm}")
    return payload, f"{parts[0]}.{parts[1]}".encode("ascii"), signature


def _present(claims: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in claims.items() if value is not None}


def _text(claims: Mapping[str, Any], name: str) -> str | None:
    value = claims.get(name)
    if value is not None and not isinstance(value, str):
        raise TokenFormatError(f"{name} is not a text")
    return value


def _required_text(claims: Mapping[str, Any], name: str) -> str:
    value = _text(claims, name)
    if value is None:
        raise TokenFormatError(f"{name} is missing")
    return value


def _number(claims: Mapping[str, Any], name: str) -> int:
    value = claims.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TokenFormatError(f"{name} is not a whole number")
    return value


def _optional_number(claims: Mapping[str, Any], name: str) -> int | None:
    """Servers ignore these claims, so an odd one is dropped, not refused."""
    value = claims.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
