"""OpenID providers as they are configured (spec/cloud-api.md §11.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloud_private_api.errors import InvalidRequest, Violation

CALLED_URIS = ("issuerUri", "tokenUri", "jwkSetUri")


def check_uris(provider: Mapping[str, Any], environment: str, prefix: str = "") -> None:
    """The core calls these addresses, and only over TLS; outside of tests no other is taken.

    :param prefix: path of the provider in the request, with its dot
    :raises InvalidRequest: one of them is none of https
    """
    if environment == "test":
        return
    for name in CALLED_URIS:
        uri = provider.get(name)
        if uri is not None and not str(uri).startswith("https://"):
            raise InvalidRequest(Violation(prefix + name, "must be an https URL", uri))
