"""One token header to check, and what came of it (spec/core-api.md §11, spec/protocol-v3.md §10)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
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
from powerauth_protocol.generation import generation_of
from powerauth_protocol.groups import ProtocolVersion
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
    def of(
        cls,
        settings: CoreSettings,
        *,
        token_id: str,
        digest: str,
        nonce: str,
        timestamp: int,
        version: str,
        application_ids: Collection[str] | None = None,
    ) -> TokenCheck:
        """Read the fields of a header.

        :param digest: Base64 of 32 bytes
        :param nonce: Base64 of 16 bytes
        :param timestamp: ms since the epoch
        :raises InvalidRequest: malformed nonce or digest
        :raises CryptographyFailed: unknown protocol version
        :raises TokenTimestampTooOld: the timestamp is before the validity of headers
        :raises TokenTimestampTooNew: the timestamp is too far in the future
        """
        nonce_bytes = _decoded(nonce, NONCE_BYTES, "nonce")
        digest_bytes = _decoded(digest, DIGEST_BYTES, "tokenDigest")
        try:
            known_version = generation_of(version).version
        except VersionError:
            raise CryptographyFailed() from None
        _check_time(settings, timestamp)
        unique_value, expires = replay.token_value(settings, token_id, nonce_bytes, timestamp)
        return cls(
            token_id=token_id,
            digest=digest_bytes,
            nonce=nonce_bytes,
            timestamp=timestamp,
            version=known_version,
            application_ids=None if application_ids is None else tuple(application_ids),
            unique_value=unique_value,
            expires=expires,
        )

    def proves(self, secret: bytes) -> bool:
        """Whether the digest was made with this secret."""
        tokens = generation_of(self.version).tokens
        return tokens.proves(self.digest, secret, self.nonce, self.timestamp)


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


def _decoded(text: str, length: int, name: str) -> bytes:
    try:
        return b64decode(text, length)
    except ProtocolError:
        raise InvalidRequest(f"requestObject.{name} - must be Base64 of {length} bytes") from None


def _check_time(settings: CoreSettings, timestamp: int) -> None:
    now = clock.now_ms()
    if timestamp < now - settings.token_timestamp_validity_ms:
        raise TokenTimestampTooOld()
    if timestamp > now + settings.token_timestamp_forward_validity_ms:
        raise TokenTimestampTooNew()
