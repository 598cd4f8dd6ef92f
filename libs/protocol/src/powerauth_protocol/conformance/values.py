"""Reading the values of a vector, and what a check may say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.v3.keys import (
    ActivationKeys,
    BiometryKey,
    KnowledgeKey,
    PossessionKey,
    TransportKey,
    VaultKey,
)

Input = Mapping[str, Any]
Output = dict[str, Any]
Check = Callable[[Input], Output]
"""Computes the outputs of a vector from its inputs; a refusal is a `ProtocolError`."""


class CheckFailed(Exception):
    """Something that no output shows went wrong, e.g. the other side does not agree."""


def require(condition: bool, rule: str) -> None:
    """Raise `CheckFailed` unless the rule holds."""
    if not condition:
        raise CheckFailed(rule)


def data(values: Input, name: str) -> bytes:
    """Return the bytes of a Base64 value."""
    return b64decode(values[name])


def optional_data(values: Input, name: str) -> bytes | None:
    """Return the bytes of a Base64 value, None if it is null."""
    text = values[name]
    return None if text is None else b64decode(text)


def text_of(value: bytes | None) -> str | None:
    """Return Base64, None for None."""
    return None if value is None else b64encode(value)


def factor_keys(values: Input) -> ActivationKeys:
    """Return the three factor keys of a vector; the other keys are not used in signing."""
    return ActivationKeys(
        PossessionKey(data(values, "possession_key_b64")),
        KnowledgeKey(data(values, "knowledge_key_b64")),
        BiometryKey(data(values, "biometry_key_b64")),
        TransportKey(bytes(16)),
        VaultKey(bytes(16)),
    )
