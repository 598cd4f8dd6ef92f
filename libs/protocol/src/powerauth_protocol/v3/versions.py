"""Protocol versions 3.0 to 3.3 and what differs between them (spec/protocol-v3.md §0.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
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
    """One column of the table of spec/protocol-v3.md §0.1; what is not said is as in 3.0.

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

    signature_format: SignatureFormat = SignatureFormat.DECIMAL
    envelope_iv: EnvelopeIv = EnvelopeIv.ZERO
    request_nonce: bool = False
    response_nonce: bool = False
    timestamp: bool = False
    associated_data: bool = False
    versioned_shared_info1: bool = False
    temporary_keys: bool = False
    token_digest_version: bool = False
    status_challenge: bool = False


_3_0 = VersionFacts()
_3_1 = replace(
    _3_0,
    signature_format=SignatureFormat.BASE64,
    envelope_iv=EnvelopeIv.REQUEST_NONCE,
    request_nonce=True,
    status_challenge=True,
)
_3_2 = replace(
    _3_1,
    envelope_iv=EnvelopeIv.OWN_NONCE,
    response_nonce=True,
    timestamp=True,
    associated_data=True,
    versioned_shared_info1=True,
    token_digest_version=True,
)
_3_3 = replace(_3_2, temporary_keys=True)


class ProtocolVersion(StrEnum):
    """A version of this generation as it is written in headers (``pa_version``, ``version``).

    :ivar facts: what this version does differently from the others
    """

    facts: VersionFacts

    V3_0 = "3.0", _3_0
    V3_1 = "3.1", _3_1
    V3_2 = "3.2", _3_2
    V3_3 = "3.3", _3_3

    def __new__(cls, text: str, facts: VersionFacts) -> ProtocolVersion:
        """Make the member with this text."""
        member = str.__new__(cls, text)
        member._value_ = text
        member.facts = facts
        return member

    @classmethod
    def parse(cls, text: str | None) -> ProtocolVersion:
        """Return the version with exactly this text.

        :raises VersionError: for any other text, also for None
        """
        version = _BY_TEXT.get(text)
        if version is None:
            raise VersionError("unknown protocol version")
        return version


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
        return known.facts.signature_format
    if text is None or not _LATER_VERSION.fullmatch(text) or Decimal(text) <= Decimal("3.1"):
        raise VersionError("no signature format for this version")
    return SignatureFormat.BASE64
