"""The path of a request as routes see it (RFC 3986 §2, §3.3; spec/cloud-api.md §1.2 item 11).

A name in a path may hold any character, percent-encoded, also ``/`` and ``%``. Decoding a whole path would
make its separators and such names look alike, so each segment is decoded by itself, and the two characters
stay encoded inside it. For every other path this is the decoded path.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from starlette.types import Scope

MAX_TARGET_BYTES = 8 * 1024
"""Of a request's path and query together, as sent."""

_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class MalformedTarget(ValueError):
    """Not percent-encoded UTF-8."""


def canonical_path(raw_path: bytes) -> str:
    """The path with each segment decoded, but for ``/`` and ``%`` inside one.

    :raises MalformedTarget: not percent-encoded UTF-8
    """
    if b"%" not in raw_path:
        return raw_path.decode("ascii")
    if _MALFORMED.search(raw_path):
        raise MalformedTarget
    try:
        return "/".join(
            unquote_to_bytes(segment).decode().replace("%", "%25").replace("/", "%2F")
            for segment in raw_path.split(b"/")
        )
    except UnicodeDecodeError:
        raise MalformedTarget from None


def name_of(segment: str) -> str:
    """The name that a segment of a canonical path stands for."""
    if "%" not in segment:
        return segment
    return segment.replace("%2F", "/").replace("%25", "%")


def path_in_service(scope: Scope) -> str:
    """A request's path without the context path, which the edge wrote down where the path lies below it."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))
