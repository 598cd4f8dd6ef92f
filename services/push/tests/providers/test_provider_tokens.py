"""Tokens: as old as Apple allows, one renewal at a time (spec/push-api.md §10.2, §11.1)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jws, jwt
from joserfc.jwk import ECKey

from powerauth_cli.fakes.keys import public_pem
from powerauth_push.providers import tokens
from powerauth_push.providers.outcomes import Verdict
from powerauth_push.providers.tokens import AccessToken, ApnsTokens, NoToken, RenewedToken
from servicekit import clock

MINUTE_MS = 60_000
START_MS = 1_767_268_800_000


@dataclass
class Time:
    """A clock that a test moves."""

    now: int = START_MS

    def __call__(self) -> int:
        return self.now

    def pass_minutes(self, minutes: float) -> None:
        self.now += round(minutes * MINUTE_MS)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(clock, "now_ms", made)
    return made


@pytest.fixture
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def test_apns_token_has_these_members_and_no_others(time: Time, key: ec.EllipticCurvePrivateKey) -> None:
    value = ApnsTokens("TEAM123456", "KEY1234567", key).current().decode()
    scheme, _, token = value.partition(" ")
    assert scheme == "bearer"
    public = ECKey.import_key(public_pem(key.public_key()))
    assert jwt.decode(token, public, algorithms=["ES256"]).claims == {
        "iss": "TEAM123456",
        "iat": START_MS // 1000,
    }
    header = jws.extract_compact(token.encode()).headers()
    assert header == {"alg": "ES256", "kid": "KEY1234567", "typ": "JWT"}


def test_apns_token_is_renewed_between_20_and_60_minutes(time: Time, key: ec.EllipticCurvePrivateKey) -> None:
    made = ApnsTokens("TEAM123456", "KEY1234567", key)
    first = made.current()
    time.pass_minutes(44.9)
    assert made.current() is first
    time.pass_minutes(0.2)
    assert made.current() != first
    time.pass_minutes(-120)
    assert made.current() != first, "the clock was put back"


def test_apns_token_that_is_refused_is_kept_for_20_minutes(
    time: Time, key: ec.EllipticCurvePrivateKey
) -> None:
    made = ApnsTokens("TEAM123456", "KEY1234567", key)
    first = made.current()
    time.pass_minutes(19)
    assert not made.refused(first)
    assert made.current() is first
    time.pass_minutes(2)
    assert made.refused(first)
    second = made.current()
    assert second != first
    assert made.refused(first), "somebody else has renewed it"
    assert made.current() is second


@dataclass
class Endpoint:
    """A token endpoint that answers when it is told to."""

    life_seconds: float = 3600
    failing: bool = False
    asked: int = 0
    answering: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self) -> AccessToken:
        self.asked += 1
        number = self.asked
        await self.answering.wait()
        if self.failing:
            raise ConnectionError
        return AccessToken.lasting(f"t{number}", self.life_seconds)


async def test_one_renewal_serves_all_who_wait_and_none_disturbs_the_others(time: Time) -> None:
    endpoint = Endpoint()
    renewed = RenewedToken(endpoint)
    impatient = asyncio.create_task(renewed.current())
    waiting = [asyncio.create_task(renewed.current()) for _ in range(20)]
    await asyncio.sleep(0)
    impatient.cancel()
    endpoint.answering.set()
    assert {token.value for token in await asyncio.gather(*waiting)} == {"Bearer t1"}
    assert endpoint.asked == 1
    await renewed.close()


@pytest.mark.parametrize("answers", [True, False])
async def test_who_waits_for_a_token_has_an_outcome_when_it_is_given_up(time: Time, answers: bool) -> None:
    endpoint = Endpoint()
    renewed = RenewedToken(endpoint)
    waiting = asyncio.create_task(renewed.current())
    await asyncio.sleep(0)
    closing = asyncio.create_task(renewed.close(60.0 if answers else 0.0))
    await asyncio.sleep(0)
    if answers:
        endpoint.answering.set()
        assert (await waiting).value == "Bearer t1"
    else:
        with pytest.raises(NoToken) as given_up:
            await waiting
        assert given_up.value.outcome.verdict is Verdict.LATER
    await closing


async def test_access_token_is_renewed_before_its_end_and_when_it_is_refused(time: Time) -> None:
    endpoint = Endpoint()
    endpoint.answering.set()
    renewed = RenewedToken(endpoint)
    first = await renewed.current()
    time.pass_minutes(57)
    assert await renewed.current() is first
    time.pass_minutes(2)
    second = await renewed.current()
    assert second.value == "Bearer t2"
    renewed.refused(first)
    assert await renewed.current() is second, "only the one that is in use"
    renewed.refused(second)
    assert (await renewed.current()).value == "Bearer t3"


@pytest.mark.parametrize(
    ("life_seconds", "kept_minutes"), [(3600, 57.9), (480, 5.9), (120, 1.4), (60, 0.7), (1, 0.7)]
)
async def test_a_short_life_is_used_for_most_of_it(
    time: Time, life_seconds: float, kept_minutes: float
) -> None:
    endpoint = Endpoint(life_seconds)
    endpoint.answering.set()
    renewed = RenewedToken(endpoint)
    first = await renewed.current()
    time.pass_minutes(kept_minutes)
    assert await renewed.current() is first
    time.pass_minutes(0.2)
    assert await renewed.current() is not first
    assert endpoint.asked == 2


async def test_an_endpoint_that_is_down_costs_nothing_while_the_last_token_is_good(time: Time) -> None:
    endpoint = Endpoint()
    endpoint.answering.set()
    renewed = RenewedToken(endpoint)
    first = await renewed.current()
    endpoint.failing = True
    time.pass_minutes(59)
    assert await renewed.current() is first
    time.pass_minutes(2)
    with pytest.raises(ConnectionError):
        await renewed.current()
    endpoint.failing = False
    assert (await renewed.current()).value != first.value


def test_nobody_sees_tokens() -> None:
    assert "secret" not in repr(AccessToken.lasting("secret", 3600))


def test_google_assertion_is_json_of_these_claims(time: Time) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    made = tokens.google_assertion("a@b", "k1", rsa.generate_private_key(65537, 2048), "https://t/token")
    read = jws.extract_compact(made.encode())
    assert read.headers() == {"alg": "RS256", "kid": "k1", "typ": "JWT"}
    assert json.loads(read.payload) == {
        "iss": "a@b",
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "aud": "https://t/token",
        "iat": START_MS // 1000,
        "exp": START_MS // 1000 + 3600,
    }
