"""What the settings must be before a service may serve with them: rules, and what breaks them (D3).

Below the settings, whose classes hold rules of their own; `servicekit.startup` judges by them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import ip_address
from typing import Any

FILE_SUFFIX = "_FILE"
SECRET_LENGTH = 16
"""Characters below which a shared secret could be searched for."""
_DISTINCT_BYTES = 8
"""Sixteen random bytes have fewer different ones about once in a thousand million."""

_MAX_PORT = 65_535
_AUTHORITY = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]*\]|[^:\[\]]*)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of the configuration, without the value, which may be a secret.

    :ivar variable: the environment variable, for instance ``CORE_DATABASE_URL``
    :ivar meaning: what is wrong with it, or why it is needed
    :ivar example: a value that would do, or a command that helps; empty: none
    """

    variable: str
    meaning: str
    example: str = ""

    def __str__(self) -> str:
        example = f" (example: {self.example})" if self.example else ""
        return f"{self.variable}: {self.meaning}{example}"


class StartRefused(Exception):
    """The service must not start. Its text is a line for each finding."""

    def __init__(self, *findings: Finding) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings


class Weight(Enum):
    """When a rule that is broken keeps a service from starting."""

    ALWAYS = auto()
    IN_PRODUCTION = auto()
    NEVER = auto()
    """In production it is told as a warning."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a service's settings must be to serve with them.

    :ivar setting: the name of the member
    :ivar broken: whether the settings break the rule
    :ivar meaning: what is wrong with it then
    :ivar example: a value that would do
    """

    setting: str
    broken: Callable[[Any], bool]
    meaning: str
    example: str = ""
    weight: Weight = Weight.IN_PRODUCTION


def is_weak_key(key: bytes | None) -> bool:
    """Whether a key is there and has been typed by somebody: a repeated pattern, no random bytes."""
    return key is not None and len(set(key)) < _DISTINCT_BYTES


def is_typed_key(key: bytes | None) -> bool:
    """Whether a key consists of characters only, as random bytes do about once in ten million."""
    return key is not None and all(0x20 <= byte < 0x7F for byte in key)


def is_unprotected(url: str, *schemes: str) -> bool:
    """Whether what goes to this URL can be read on the way: a clear-text scheme, and not to this machine.

    :param schemes: those without encryption, ``http`` unless given
    """
    scheme, _, _ = url.partition("://")
    authority = authority_of(url)
    return scheme in (schemes or ("http",)) and not (authority and is_loopback(authority[0]))


def authority_of(url: str) -> tuple[str, int | None] | None:
    """Host and port of a URL whose password may hold any character but ``@``; None when they are none."""
    _, _, rest = url.partition("://")
    match = _AUTHORITY.fullmatch(re.split(r"[/?]", rest.rpartition("@")[2], maxsplit=1)[0])
    if match is None or (match["port"] and not 0 < int(match["port"]) <= _MAX_PORT):
        return None
    return match["host"].strip("[]"), int(match["port"]) if match["port"] else None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by name or address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
