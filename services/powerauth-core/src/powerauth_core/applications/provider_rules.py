"""OpenID providers as they are configured: judged then, not at the first log-in (spec/core-api.md §6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

CALLED_URIS = ("issuerUri", "tokenUri", "jwkSetUri")
"""Members whose addresses the core calls itself."""
HTTPS = "https://"


def refused_uri(values: Sequence[Any]) -> str | None:
    """The first address that would never be called, as a path such as ``0.issuerUri``; None if there is none.

    Elements that are no providers at all are passed over, as their readers do.
    """
    for index, provider in enumerate(values):
        if not isinstance(provider, dict):
            continue
        for name in CALLED_URIS:
            uri = provider.get(name)
            if uri is not None and not (isinstance(uri, str) and uri.startswith(HTTPS)):
                return f"{index}.{name}"
    return None
