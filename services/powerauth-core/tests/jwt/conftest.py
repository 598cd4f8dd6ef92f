"""A core that issues signed tokens, and a forger who has keys of his own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from core_test_api import TestApplication
from core_test_tokens import ISSUER, Later
from cryptography.hazmat.primitives.asymmetric import rsa

from powerauth_core.container import Core
from powerauth_core.jwt.keys import JwtKeys
from servicekit import clock


@pytest.fixture(scope="session")
def pairs() -> list[rsa.RSAPrivateKey]:
    """Key pairs that were made already: making one takes long."""
    return []


@pytest.fixture(autouse=True)
def _made_pairs(pairs: list[rsa.RSAPrivateKey], monkeypatch: pytest.MonkeyPatch) -> None:
    def endless() -> Iterator[rsa.RSAPrivateKey]:
        number = 0
        while True:
            if number == len(pairs):
                pairs.append(rsa.generate_private_key(65537, 2048))
            yield pairs[number]
            number += 1

    given = endless()

    async def new_pair(_keys: JwtKeys) -> rsa.RSAPrivateKey:
        return next(given)

    monkeypatch.setattr(JwtKeys, "new_pair", new_pair)


@pytest.fixture
def issuing(core: Core) -> Core:
    """The core, which has an issuer."""
    core.settings.jwt_issuer = ISSUER
    return core


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    """Let time pass."""
    passed = timedelta()
    real = clock.now

    def go(**span: float) -> None:
        nonlocal passed
        passed += timedelta(**span)
        monkeypatch.setattr(clock, "now", lambda: real() + passed)

    return go


@pytest.fixture
def bank(issuing: Core, application: TestApplication) -> str:
    """Id of an application in a core that issues tokens."""
    assert issuing.settings.jwt_issuer
    return application.application_id
