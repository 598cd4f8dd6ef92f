"""Protocol versions 3.0 to 3.3 and what differs between them (spec/protocol-v3.md §0.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, StrEnum

from powerauth_protocol.common.errors import VersionError


class SignatureFormat(StrEnum):
    """Text form of an authentication code."""

    DECIMAL = "DECIMAL"
    BASE64 = "BASE64"


class EnvelopeIv(Enum):
    """Where the initialisation vector of an ECIES envelope comes from (spec/protocol-v3.md §5.4)."""

    ZERO = "zero"
    REQUEST_NONCE = "request nonce, also for the response"
    OWN_NONCE = "nonce of the message"


@dataclass(frozen=True, slots=True)
class VersionFacts:
    """One column of the table of spec/protocol-v3.md §0.1.

    :ivar signature_format: form of online authentication codes; offline ones are always decimal
    :ivar envelope_iv: source of the ECIES initialisation vector
    :ivar request_nonce: the ECIES request carries a nonce
    :ivar response_nonce: the ECIES response carries its own nonce
    :ivar timestamp: ECIES request and response carry a timestamp
    :ivar associated_data: the ECIES MAC covers version, application key and identifiers
    :ivar versioned_shared_info1: the version text precedes sharedInfo1 in the envelope key derivation
    :ivar temporary_keys: ECIES uses temporary keys, never the long-term ones
    :ivar token_digest_version: the version text enters the token digest
    :ivar status_challenge: the status request carries a challenge
    """

    signature_format: SignatureFormat
    envelope_iv: EnvelopeIv
    request_nonce: bool
    response_nonce: bool
    timestamp: bool
    associated_data: bool
    versioned_shared_info1: bool
    temporary_keys: bool
    token_digest_version: bool
    status_challenge: bool


class ProtocolVersion(StrEnum):
    """A version as it is written in headers (``pa_version``, ``version``)."""

    V3_0 = "3.0"
    V3_1 = "3.1"
    V3_2 = "3.2"
    V3_3 = "3.3"

    @classmethod
    def parse(cls, text: str | None) -> ProtocolVersion:
        """Return the version with exactly this text.

        :raises VersionError: for any other text, also for None
        """
        version = _BY_TEXT.get(text)
        if version is None:
            raise VersionError("unknown protocol version")
        return version

    @property
    def facts(self) -> VersionFacts:
        """What this version does differently from the others."""
        return _FACTS[self]

    @property
    def signature_format(self) -> SignatureFormat:
        """Form of online authentication codes."""
        return _FACTS[self].signature_format

    @property
    def envelope_iv(self) -> EnvelopeIv:
        """Source of the ECIES initialisation vector."""
        return _FACTS[self].envelope_iv

    @property
    def request_nonce(self) -> bool:
        """The ECIES request carries a nonce."""
        return _FACTS[self].request_nonce

    @property
    def response_nonce(self) -> bool:
        """The ECIES response carries its own nonce."""
        return _FACTS[self].response_nonce

    @property
    def timestamp(self) -> bool:
        """ECIES request and response carry a timestamp."""
        return _FACTS[self].timestamp

    @property
    def associated_data(self) -> bool:
        """The ECIES MAC covers version, application key and identifiers."""
        return _FACTS[self].associated_data

    @property
    def versioned_shared_info1(self) -> bool:
        """The version text precedes sharedInfo1."""
        return _FACTS[self].versioned_shared_info1

    @property
    def temporary_keys(self) -> bool:
        """ECIES uses temporary keys."""
        return _FACTS[self].temporary_keys

    @property
    def token_digest_version(self) -> bool:
        """The version text enters the token digest."""
        return _FACTS[self].token_digest_version

    @property
    def status_challenge(self) -> bool:
        """The status request carries a challenge."""
        return _FACTS[self].status_challenge


_FACTS: dict[ProtocolVersion, VersionFacts] = {
    ProtocolVersion.V3_0: VersionFacts(
        signature_format=SignatureFormat.DECIMAL,
        envelope_iv=EnvelopeIv.ZERO,
        request_nonce=False,
        response_nonce=False,
        timestamp=False,
        associated_data=False,
        versioned_shared_info1=False,
        temporary_keys=False,
        token_digest_version=False,
        status_challenge=False,
    ),
    ProtocolVersion.V3_1: VersionFacts(
        signature_format=SignatureFormat.BASE64,
        envelope_iv=EnvelopeIv.REQUEST_NONCE,
        request_nonce=True,
        response_nonce=False,
        timestamp=False,
        associated_data=False,
        versioned_shared_info1=False,
        temporary_keys=False,
        token_digest_version=False,
        status_challenge=True,
    ),
    ProtocolVersion.V3_2: VersionFacts(
        signature_format=SignatureFormat.BASE64,
        envelope_iv=EnvelopeIv.OWN_NONCE,
        request_nonce=True,
        response_nonce=True,
        timestamp=True,
        associated_data=True,
        versioned_shared_info1=True,
        temporary_keys=False,
        token_digest_version=True,
        status_challenge=True,
    ),
    ProtocolVersion.V3_3: VersionFacts(
        signature_format=SignatureFormat.BASE64,
        envelope_iv=EnvelopeIv.OWN_NONCE,
        request_nonce=True,
        response_nonce=True,
        timestamp=True,
        associated_data=True,
        versioned_shared_info1=True,
        temporary_keys=True,
        token_digest_version=True,
        status_challenge=True,
    ),
}
_BY_TEXT: dict[str | None, ProtocolVersion] = {version.value: version for version in ProtocolVersion}

_LATER_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?", re.ASCII)


def signature_format_of(text: str | None) -> SignatureFormat:
    """Return the form of online codes for a version text (spec/protocol-v3.md §8.5 step 4).

    Unlike `ProtocolVersion.parse` this also answers for versions after 3.3: everything above 3.1 is Base64.
    Header validation is what refuses those.

    :raises VersionError: for versions before 3.0 and for texts that are no version
    """
    known = _BY_TEXT.get(text)
    if known is not None:
        return known.signature_format
    if text is None or not _LATER_VERSION.fullmatch(text) or Decimal(text) <= Decimal("3.1"):
        raise VersionError("no signature format for this version")
    return SignatureFormat.BASE64
