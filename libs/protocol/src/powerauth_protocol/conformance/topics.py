"""Which check a vector file runs through, and where this library is stricter than the vectors on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.conformance import (
    activation_checks,
    envelope_checks,
    http_checks,
    key_checks,
    signature_checks,
    storage_checks,
)
from powerauth_protocol.conformance.values import Check, Input, Output
from powerauth_protocol.v3.http_headers import parse_fields

TOPICS: dict[str, Check] = {
    **key_checks.CHECKS,
    **activation_checks.CHECKS,
    **signature_checks.CHECKS,
    **http_checks.CHECKS,
    **envelope_checks.CHECKS,
    **storage_checks.CHECKS,
}
"""Check by topic; the topic is the stem of the file name."""

_HYBRID_PREFIXES = (0x06, 0x07)


def _hybrid_point_refused(values: Input, expected: Output, computed: Output) -> str | None:
    """Hybrid encodings of public keys are refused (D16)."""
    hybrid = b64decode(values["encoded_b64"])[:1] in {bytes([prefix]) for prefix in _HYBRID_PREFIXES}
    if hybrid and "error" not in expected and computed == {"error": True}:
        return "hybrid EC points are refused"
    return None


def _unpadded_base64_refused(values: Input, expected: Output, computed: Output) -> str | None:
    """Base64 without padding in headers is refused (D16)."""
    code = computed.get("error_code")
    if (
        expected.get("valid") is not True
        or computed.get("valid") is not False
        or not str(code).endswith("_INVALID")
    ):
        return None
    fields: dict[str, Any] = parse_fields(values["header_value"])
    padded = {name: _padded(value) for name, value in fields.items()}
    if padded == fields:
        return None
    header = "PowerAuth " + ", ".join(f'{name}="{value}"' for name, value in padded.items())
    again = TOPICS["http_header_parse"]({**values, "header_value": header})
    return "Base64 without padding is refused" if again["valid"] else None


def _padded(text: str) -> str:
    """The text with its padding restored if that, and only that, makes it canonical Base64."""
    candidate = text + "=" * (-len(text) % 4)
    try:
        return candidate if b64encode(b64decode(candidate)) == candidate else text
    except EncodingError:
        return text


KNOWN_DEVIATIONS: dict[str, Callable[[Input, Output, Output], str | None]] = {
    "public_key_import": _hybrid_point_refused,
    "http_header_parse": _unpadded_base64_refused,
}
"""By topic: the reason why a difference between expected and computed output is intended, or None."""
