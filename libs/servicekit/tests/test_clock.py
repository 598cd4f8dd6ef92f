from datetime import UTC, datetime, timedelta

from powerauth_contracts import moments
from servicekit import clock


def test_now_is_naive_utc() -> None:
    moment = clock.now()
    assert moment.tzinfo is None
    assert abs(moment.replace(tzinfo=UTC) - datetime.now(UTC)) < timedelta(seconds=5)


def test_now_ms_is_the_same_moment_as_now() -> None:
    assert abs(clock.now_ms() - moments.to_ms(clock.now())) < 5000
