"""What the tests of the protocol share: the self-check constants and the vector files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from powerauth_protocol.v3.keys import ActivationKeys, MasterSecret, derive_factor_keys

VECTORS = Path(__file__).resolve().parents[3] / "tests" / "vectors"


@pytest.fixture(scope="session")
def vectors_directory() -> Path:
    """The reference vector files."""
    return VECTORS


@pytest.fixture(scope="session")
def master_secret_bytes() -> bytes:
    """M of spec/protocol-v3.md §18."""
    return bytes(range(16))


@pytest.fixture(scope="session")
def activation_keys(master_secret_bytes: bytes) -> ActivationKeys:
    """The keys derived from M."""
    return derive_factor_keys(MasterSecret(master_secret_bytes))


@pytest.fixture(scope="session")
def bit_flips() -> Callable[[bytes], Iterator[bytes]]:
    """Returns a function that yields its argument with each single bit flipped."""

    def flips(data: bytes) -> Iterator[bytes]:
        for position in range(len(data) * 8):
            changed = bytearray(data)
            changed[position // 8] ^= 1 << (position % 8)
            yield bytes(changed)

    return flips
