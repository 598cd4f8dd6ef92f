"""The ``device`` that additional data shows, read from the client's user agent (spec/core-api.md §19.4)."""

import re
from collections.abc import Mapping
from typing import Any

_NETWORK_LIBRARY = re.compile(
    r"(?:^PowerAuthNetworking|PowerAuth2)/(?P<networkVersion>1\.\d+\.\d+)", re.ASCII
)
_PARTS = re.compile(
    r"(?: \((?P<language>[a-zA-Z]{2}); ?(?P<connection>[a-zA-Z0-9]+)\))?"
    r"(?: (?P<product>[a-zA-Z0-9_.-]+)/(?P<version>[^ ]+))?"
    r"(?: \((?:(?P<platform>[^;()]+); )?(?P<os>[^/;,() ]+)[/ ](?P<osVersion>[^;,()]+)"
    r"[;,] (?P<model>[^()]+)\))?"
)
_FIELDS = (
    "networkVersion",
    "language",
    "connection",
    "product",
    "version",
    "platform",
    "os",
    "osVersion",
    "model",
)
# A user agent is a header of the device, hence at most 8 KiB; nothing of ours is a tenth as long.
_MAX_LENGTH = 1024


def parse_device(user_agent: str) -> dict[str, str | None] | None:
    """The device that a mobile library's user agent describes; None for any other user agent.

    Absent parts are None.
    """
    if len(user_agent) > _MAX_LENGTH:
        return None
    library = _NETWORK_LIBRARY.search(user_agent)
    if library is None:
        return None
    parts = _PARTS.match(user_agent, library.end())
    found = library.groupdict() | (parts.groupdict() if parts else {})
    return {field: found.get(field) for field in _FIELDS}


def with_device(additional_data: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of the additional data with ``device`` added if its ``userAgent`` tells one."""
    shown = dict(additional_data)
    user_agent = shown.get("userAgent")
    if isinstance(user_agent, str) and (device := parse_device(user_agent)) is not None:
        shown["device"] = device
    return shown
