"""RSA keys are made once for all tests of this folder: each takes as long as many a test."""

from __future__ import annotations

import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa


@pytest.fixture(scope="session")
def pairs() -> list[rsa.RSAPrivateKey]:
    """Those that were made so far."""
    return []


@pytest.fixture(autouse=True)
def _made_pairs(pairs: list[rsa.RSAPrivateKey], monkeypatch: pytest.MonkeyPatch) -> None:
    make, numbers = rsa.generate_private_key, itertools.count()

    def made(exponent: int, bits: int) -> rsa.RSAPrivateKey:
        number = next(numbers)
        if number == len(pairs):
            pairs.append(make(exponent, bits))
        return pairs[number]

    monkeypatch.setattr(rsa, "generate_private_key", made)
