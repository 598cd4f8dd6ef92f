"""The hash-based counter and its synchronisation on the client (spec/protocol-v3.md §8.3, §8.6)."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass, field
from enum import Enum

from powerauth_protocol.common.encoding import require_length
from powerauth_protocol.common.kdf import kdf_internal
from powerauth_protocol.v3.keys import TransportKey, transport_ctr_key

CTR_DATA_LENGTH = 16


def generate_ctr_data() -> bytes:
    """Make the first counter value of an activation, 16 bytes."""
    return os.urandom(CTR_DATA_LENGTH)


def next_counter(ctr_data: bytes) -> bytes:
    """Return the counter one step further: the folded SHA-256.

    :raises EncodingError: not 16 bytes
    """
    return step(require_length(ctr_data, CTR_DATA_LENGTH))


def advance(ctr_data: bytes, steps: int) -> bytes:
    """Return the counter `steps` steps further, 0 or more.

    :raises EncodingError: not 16 bytes
    """
    value = require_length(ctr_data, CTR_DATA_LENGTH)
    for _ in range(steps):
        value = step(value)
    return value


def step(ctr_data: bytes) -> bytes:
    """`next_counter` without the length check, for loops over a value that was checked."""
    digest = hashlib.sha256(ctr_data).digest()
    return (int.from_bytes(digest[:16], "big") ^ int.from_bytes(digest[16:], "big")).to_bytes(16, "big")


def counter_hash(transport_key: TransportKey, ctr_data: bytes) -> bytes:
    """Return the 16-byte counter hash of the status blob (spec/protocol-v3.md §9.1).

    :raises EncodingError: the counter is not 16 bytes
    :raises KeyFormatError: the key is not 16 bytes
    """
    return keyed_hash(transport_ctr_key(transport_key), ctr_data)


def keyed_hash(counter_key: bytes, ctr_data: bytes) -> bytes:
    """`counter_hash` with a key that was derived before.

    :raises EncodingError: the counter is not 16 bytes
    """
    return kdf_internal(counter_key, require_length(ctr_data, CTR_DATA_LENGTH))


def hash_distance(
    received_hash: bytes, local_ctr_data: bytes, transport_key: TransportKey, look_ahead: int
) -> int | None:
    """Return how many steps (0..look_ahead-1) the local counter is behind the hashed one, or None.

    :raises EncodingError: the counter is not 16 bytes
    """
    key = transport_ctr_key(transport_key)
    value = require_length(local_ctr_data, CTR_DATA_LENGTH)
    for distance in range(look_ahead):
        if hmac.compare_digest(kdf_internal(key, value), received_hash):
            return distance
        value = step(value)
    return None


class SyncOutcome(Enum):
    """What a device does after it has read its status."""

    OK = "ok"
    COMPUTE_CODE = "compute a code soon, so that the server catches up"
    UPDATED = "the local counter was moved, store it"
    DEADLOCK = "the activation is unusable and must be removed"


@dataclass(frozen=True, slots=True)
class CounterSync:
    """Outcome of a synchronisation, with the counter to store.

    :ivar outcome: what to do
    :ivar ctr_data: local counter from now on, 16 bytes
    :ivar ctr_byte: local counter byte from now on, or None if still unknown
    """

    outcome: SyncOutcome
    ctr_data: bytes = field(repr=False)
    ctr_byte: int | None


def synchronise(
    *,
    local_ctr_data: bytes,
    local_ctr_byte: int | None,
    server_hash: bytes,
    server_ctr_byte: int,
    look_ahead: int,
    transport_key: TransportKey,
) -> CounterSync:
    """Compare the device's counter with the server's and decide (spec/protocol-v3.md §8.6).

    :raises EncodingError: the local counter is not 16 bytes
    """
    behind = hash_distance(server_hash, local_ctr_data, transport_key, look_ahead)
    if local_ctr_byte is None:
        known = server_ctr_byte if behind == 0 else None
        return CounterSync(SyncOutcome.OK, local_ctr_data, known)
    ahead = (local_ctr_byte - server_ctr_byte + 128) % 256 - 128
    if ahead == 0 and behind == 0:
        return CounterSync(SyncOutcome.OK, local_ctr_data, local_ctr_byte)
    if ahead > 0 and behind is None:
        return CounterSync(_client_ahead(ahead, look_ahead), local_ctr_data, local_ctr_byte)
    if behind is not None and -ahead == behind:
        return CounterSync(SyncOutcome.UPDATED, advance(local_ctr_data, behind), server_ctr_byte)
    return CounterSync(SyncOutcome.DEADLOCK, local_ctr_data, local_ctr_byte)


def _client_ahead(ahead: int, look_ahead: int) -> SyncOutcome:
    if ahead > look_ahead:
        return SyncOutcome.DEADLOCK
    if ahead > look_ahead // 2:
        return SyncOutcome.COMPUTE_CODE
    return SyncOutcome.OK
