"""Authentication codes ("signatures"): computing and verifying (spec/protocol-v3.md §8.2 to §8.5)."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hmac import digest as _hmac_digest

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError, SignatureError
from powerauth_protocol.v3.counter import step as step_counter
from powerauth_protocol.v3.keys import ActivationKeys
from powerauth_protocol.v3.versions import SignatureFormat

__all__ = [
    "DEFAULT_COMPONENT_LENGTH",
    "DEFAULT_LOOK_AHEAD",
    "Match",
    "SignatureFormat",
    "SignatureType",
    "components",
    "compute_signature",
    "possession_component",
    "signing_keys",
    "verify_with_lookahead",
]

DEFAULT_COMPONENT_LENGTH = 8
DEFAULT_LOOK_AHEAD = 20
_BASE64_COMPONENT = 16
_CTR_LENGTH = 16


class SignatureType(StrEnum):
    """Which factors sign, by the name in the header; `enum_name` is the one in server interfaces."""

    POSSESSION = "possession"
    KNOWLEDGE = "knowledge"
    BIOMETRY = "biometry"
    POSSESSION_KNOWLEDGE = "possession_knowledge"
    POSSESSION_BIOMETRY = "possession_biometry"
    POSSESSION_KNOWLEDGE_BIOMETRY = "possession_knowledge_biometry"

    @classmethod
    def parse(cls, text: str) -> SignatureType:
        """Return the type with this name in any case.

        :raises EncodingError: no such type
        """
        kind = _BY_NAME.get(text.lower()) if text.isascii() else None
        if kind is None:
            raise EncodingError("unknown signature type")
        return kind

    @property
    def enum_name(self) -> str:
        """Upper-case name."""
        return self.name

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the factors, in the order of their keys."""
        return _FACTORS[self]


_FACTORS: dict[SignatureType, tuple[str, ...]] = {
    kind: tuple(kind.value.split("_")) for kind in SignatureType
}
_BY_NAME: dict[str, SignatureType] = {kind.value: kind for kind in SignatureType}


@dataclass(frozen=True, slots=True)
class Match:
    """Where a code was found.

    :ivar step: counter steps before the match, 0..look_ahead-1
    :ivar type: the signature type that matched
    :ivar candidate_index: index of the data that matched
    :ivar next_ctr_data: counter to store: one step past the match
    """

    step: int
    type: SignatureType
    candidate_index: int
    next_ctr_data: bytes = field(repr=False)


def signing_keys(keys: ActivationKeys, signature_type: SignatureType) -> tuple[bytes, ...]:
    """Return the factor keys of a type in signing order (spec/protocol-v3.md §8.2)."""
    return tuple([getattr(keys, factor) for factor in _FACTORS[signature_type]])


def components(data: bytes, keys: Sequence[bytes], ctr: bytes) -> tuple[bytes, ...]:
    """Return one 32-byte HMAC per factor key (spec/protocol-v3.md §8.4).

    :param data: the complete signed bytes, application secret included
    :param keys: one to three factor keys, 16 bytes each
    :param ctr: counter data, 16 bytes
    :raises SignatureError: wrong number or length of keys, or wrong length of the counter
    """
    _check(keys, ctr)
    return _components(data, keys, ctr)


def compute_signature(
    data: bytes,
    keys: Sequence[bytes],
    ctr: bytes,
    fmt: SignatureFormat,
    component_length: int = DEFAULT_COMPONENT_LENGTH,
) -> str:
    """Compute an authentication code (spec/protocol-v3.md §8.4).

    :param component_length: digits per factor in decimal codes, 4 to 8; without effect on Base64 codes
    :raises SignatureError: wrong keys, counter or component length
    """
    found = components(data, keys, ctr)
    if fmt is SignatureFormat.BASE64:
        return b64encode(b"".join([component[_BASE64_COMPONENT:] for component in found]))
    return _decimal_code(found, _modulus(component_length), component_length)


def verify_with_lookahead(
    candidates: Sequence[bytes],
    signature: str,
    types: Sequence[SignatureType],
    keys: ActivationKeys,
    ctr_data: bytes,
    lookahead: int,
    fmt: SignatureFormat,
    component_length: int = DEFAULT_COMPONENT_LENGTH,
) -> Match | None:
    """Search a code in the look-ahead window (spec/protocol-v3.md §8.5 step 8, §8.8 step 7).

    For each candidate, each counter value from `ctr_data` on, each type in order; the first match wins.

    :param candidates: complete signed bytes to try; more than one only with a proximity check
    :param lookahead: number of counter values to try, 1 to 64
    :return: the match, or None if the code is wrong or has the wrong form
    :raises SignatureError: wrong counter or component length
    """
    if len(ctr_data) != _CTR_LENGTH:
        raise SignatureError("counter data must be 16 bytes")
    modulus = 0 if fmt is SignatureFormat.BASE64 else _modulus(component_length)
    received = signature.encode("ascii", "replace") if modulus else _decoded(signature)
    tried = []
    for kind in types:
        factors = len(_FACTORS[kind])
        length = factors * (component_length + 1) - 1 if modulus else factors * _BASE64_COMPONENT
        # The length of a code is no secret; comparing equal lengths keeps the comparison constant-time.
        if length == len(received):
            tried.append((kind, signing_keys(keys, kind)))
    if not tried:
        return None
    compare = hmac.compare_digest
    for index, data in enumerate(candidates):
        ctr = ctr_data
        for step in range(lookahead):
            for kind, factor_keys in tried:
                found = _components(data, factor_keys, ctr)
                if modulus:
                    code = _decimal_code(found, modulus, component_length).encode("ascii")
                else:
                    code = b"".join([component[_BASE64_COMPONENT:] for component in found])
                if compare(code, received):
                    return Match(step, kind, index, step_counter(ctr))
            ctr = step_counter(ctr)
    return None


def possession_component(signature: str, fmt: SignatureFormat) -> str:
    """Return what possession alone would have signed, out of a code whose first factor it is.

    The components stand apart in a code, and the first one depends on no other (spec/protocol-v3.md §8.4).

    :param signature: a code of any form; one that is none gives a text that is none either
    """
    if fmt is SignatureFormat.DECIMAL:
        return signature.partition("-")[0]
    return b64encode(_decoded(signature)[:_BASE64_COMPONENT])


def _components(data: bytes, keys: Sequence[bytes], ctr: bytes) -> tuple[bytes, ...]:
    """The factor loop of spec/protocol-v3.md §8.4, unrolled for one, two and three keys."""
    first = _hmac_digest(_hmac_digest(keys[0], ctr, "sha256"), data, "sha256")
    if len(keys) == 1:
        return (first,)
    key1 = _hmac_digest(keys[1], ctr, "sha256")
    second_key = _hmac_digest(key1, key1, "sha256")
    second = _hmac_digest(second_key, data, "sha256")
    if len(keys) == 2:
        return (first, second)
    key2 = _hmac_digest(keys[2], ctr, "sha256")
    third_key = _hmac_digest(key2, _hmac_digest(key1, key2, "sha256"), "sha256")
    return (first, second, _hmac_digest(third_key, data, "sha256"))


def _decimal_code(found: Sequence[bytes], modulus: int, length: int) -> str:
    return "-".join(
        [
            f"{(int.from_bytes(component[28:], 'big') & 0x7FFFFFFF) % modulus:0{length}d}"
            for component in found
        ]
    )


def _modulus(component_length: int) -> int:
    if not 4 <= component_length <= 8:
        raise SignatureError("component length must be 4 to 8")
    return int(10**component_length)


def _decoded(signature: str) -> bytes:
    try:
        return b64decode(signature)
    except EncodingError:
        return b""


def _check(keys: Sequence[bytes], ctr: bytes) -> None:
    if len(ctr) != _CTR_LENGTH:
        raise SignatureError("counter data must be 16 bytes")
    if not 1 <= len(keys) <= 3:
        raise SignatureError("one to three factor keys")
    if any(len(key) != 16 for key in keys):
        raise SignatureError("factor keys must be 16 bytes")
