from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from powerauth_contracts import moments


@given(st.integers(min_value=moments.to_ms(datetime.min), max_value=moments.to_ms(datetime.max)))
def test_milliseconds_survive_the_way_there_and_back(milliseconds: int) -> None:
    assert moments.to_ms(moments.from_ms(milliseconds)) == milliseconds


_INDIA = timezone(timedelta(hours=5, minutes=30))


@given(st.datetimes(min_value=datetime(2, 1, 1), timezones=st.just(_INDIA)))
def test_milliseconds_of_an_aware_moment_count_from_utc(moment: datetime) -> None:
    assert moments.to_ms(moment) == moments.to_ms(moment.replace(tzinfo=None)) - 19_800_000


def test_milliseconds_are_rounded_down_also_before_the_epoch() -> None:
    assert moments.to_ms(datetime(1969, 12, 31, 23, 59, 59, 999_500)) == -1


@pytest.mark.parametrize("milliseconds", [10**18, -(10**18), 10**30])
def test_milliseconds_outside_the_calendar_are_refused(milliseconds: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        moments.from_ms(milliseconds)


def test_an_offset_that_leaves_the_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="out of range"):
        moments.naive_utc(datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=10))))


def test_core_form_has_three_digits_and_a_numeric_offset() -> None:
    assert (
        moments.isoformat_core(datetime(2024, 10, 24, 7, 39, 50, 123_999)) == "2024-10-24T07:39:50.123+00:00"
    )
    assert moments.isoformat_core(datetime(2024, 10, 24, 7, 39, 50)) == "2024-10-24T07:39:50.000+00:00"
