"""One token header to check, and what came of it (spec/core-api.md §11, spec/protocol-v3.md §10)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_contracts.rest.tokens import ValidateTokenRequest
from powerauth_core.kernel.errors import (
    CoreError,
    CryptographyFailed,
    InvalidRequest,
    TokenTimestampTooNew,
    TokenTimestampTooOld,
)
from powerauth_core.replay import service as replay
from powerauth_core.settings import CoreSettings
from powerauth_core.tokens.repository import FoundToken
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.common.errors import ProtocolError, VersionError
from powerauth_protocol.v3.token import verify_token_digest
from powerauth_protocol.v3.versions import ProtocolVersion
from servicekit import clock

NONCE_BYTES = 16
DIGEST_BYTES = 32


# A value, never changed. Not frozen: that makes it five times as dear, and every check makes one.
@dataclass(slots=True)
class TokenCheck:
    """A well-formed header within its time.

    :ivar timestamp: ms since the epoch
    :ivar application_ids: scope of the call (D21), None if it is not restricted
    :ivar unique_value: what makes the header unique (D10)
    :ivar expires: until when that is remembered, naive UTC
    """

    token_id: str
    digest: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    timestamp: int
    version: ProtocolVersion
    application_ids: tuple[str, ...] | None
    unique_value: str = field(repr=False)
    expires: datetime

    @property
    def key(self) -> str:
        """Equal headers wait for each other."""
        return self.unique_value

    @classmethod
    def of(cls, settings: CoreSettings, request: ValidateTokenRequest) -> TokenCheck:
        """Read a request.

        :raises InvalidRequest: malformed nonce or digest
        :raises CryptographyFailed: unknown protocol version
        :raises TokenTimestampTooOld: the timestamp is before the validity of headers
        :raises TokenTimestampTooNew: the timestamp is too far in the future
        """
        nonce, digest = _decoded(request)
        try:
            version = ProtocolVersion.parse(request.protocol_version)
        except VersionError:
            raise CryptographyFailed() from None
        _check_time(settings, request.timestamp)
        unique_value, expires = replay.token_value(settings, request.token_id, nonce, request.timestamp)
        scope = request.application_ids
        return cls(
            token_id=request.token_id,
            digest=digest,
            nonce=nonce,
            timestamp=request.timestamp,
            version=version,
            application_ids=None if scope is None else tuple(scope),
            unique_value=unique_value,
            expires=expires,
        )

    def proves(self, secret: bytes) -> bool:
        """Whether the digest was made with this secret."""
        return verify_token_digest(self.digest, secret, self.nonce, self.timestamp, self.version)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a check.

    :ivar token: None if it is unknown
    :ivar valid: whether the header is good, and now spent
    """

    token: FoundToken | None
    valid: bool


UNKNOWN = Verdict(None, False)


def may_be_used(token: FoundToken) -> bool:
    """Whether the token's activation can use tokens now.

    :raises InvalidRequest: a FIDO2 activation
    """
    if token.protocol != ActivationProtocol.POWERAUTH:
        raise InvalidRequest()
    return token.activation_status is ActivationStatus.ACTIVE


def replayed() -> CoreError:
    """The answer to a header that was accepted before."""
    return InvalidRequest()


def _decoded(request: ValidateTokenRequest) -> tuple[bytes, bytes]:
    try:
        nonce = b64decode(request.nonce, NONCE_BYTES)
    except ProtocolError:
        raise InvalidRequest("requestObject.nonce - must be Base64 of 16 bytes") from None
    try:
        return nonce, b64decode(request.token_digest, DIGEST_BYTES)
    except ProtocolError:
        raise InvalidRequest("requestObject.tokenDigest - must be Base64 of 32 bytes") from None


def _check_time(settings: CoreSettings, timestamp: int) -> None:
    now = clock.now_ms()
    if timestamp < now - settings.token_timestamp_validity_ms:
        raise TokenTimestampTooOld()
    if timestamp > now + settings.token_timestamp_forward_validity_ms:
        raise TokenTimestampTooNew()
