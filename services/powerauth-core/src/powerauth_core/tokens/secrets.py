"""Decrypted token secrets, kept in memory: reading one costs more than checking a digest with it."""

from __future__ import annotations

from typing import NamedTuple

from powerauth_core.kernel.records import RecordCipher, token_secret_parts
from servicekit.caching import Cache


class StoredSecret(NamedTuple):
    """The columns that hold a token's secret.

    :ivar secret: column text, encrypted as `encryption` says
    """

    token_id: str
    activation_id: str
    secret: str
    encryption: int


class TokenSecrets:
    """Bounded; the least recently used goes. An entry stands for exactly the stored text it was read from.

    :param capacity: number of tokens to keep
    """

    def __init__(self, cipher: RecordCipher, capacity: int) -> None:
        self._cipher = cipher
        self._entries: Cache[str, tuple[StoredSecret, bytes]] = Cache(capacity)

    def known(self, token_id: str) -> tuple[StoredSecret, bytes] | None:
        """What was stored when the token was read last, and its secret. It may have changed since."""
        return self._entries.get(token_id)

    def read(self, stored: StoredSecret) -> bytes:
        """The secret.

        :raises CoreError: as `RecordCipher.decrypt`
        """
        found = self.known(stored.token_id)
        if found is not None and found[0] == stored:
            return found[1]
        parts = token_secret_parts(stored.token_id, stored.activation_id)
        secret = self._cipher.decrypt(stored.encryption, parts, stored.secret)
        self._entries.put(stored.token_id, (stored, secret))
        return secret
