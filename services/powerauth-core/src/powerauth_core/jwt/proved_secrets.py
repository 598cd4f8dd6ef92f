"""Secrets of clients that were found right a while ago: a hash costs more than all else that is asked."""

from __future__ import annotations

import hmac
import secrets

from servicekit.caching import Cache

_REMEMBERED = 1_000
_SECONDS = 300.0


class ProvedSecrets:
    """Remembers MACs, under a key of this process, of secrets with the hash that they fit."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._known: Cache[bytes, bool] = Cache(_REMEMBERED, _SECONDS)

    def is_known(self, client_id: str, stored: str, secret: str) -> bool:
        """Whether the secret was found to fit this hash."""
        return self._known.get(self._mac(client_id, stored, secret)) is not None

    def remember(self, client_id: str, stored: str, secret: str) -> None:
        """The secret fits this hash."""
        self._known.put(self._mac(client_id, stored, secret), True)

    def _mac(self, *parts: str) -> bytes:
        return hmac.digest(self._key, "\0".join(parts).encode(), "sha256")
