"""Rules of spec/core-api.md §8: masking, current PUK, counting."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from powerauth_contracts.enums import RecoveryPukStatus
from powerauth_core.recovery.rules import Guess, current_puk, masked, wrong_guess


@dataclass
class Puk:
    puk_index: int
    status: RecoveryPukStatus


def test_only_the_last_group_of_a_recovery_code_is_shown() -> None:
    assert masked("AAAQE-AYEAU-DAOCA-JIICA") == "XXXXX-XXXXX-XXXXX-JIICA"


def test_the_current_puk_is_the_valid_one_with_the_lowest_index() -> None:
    puks = [Puk(3, RecoveryPukStatus.VALID), Puk(1, RecoveryPukStatus.USED), Puk(2, RecoveryPukStatus.VALID)]
    assert current_puk(puks) is puks[2]


def test_there_is_no_current_puk_when_none_is_valid() -> None:
    assert current_puk([Puk(1, RecoveryPukStatus.USED), Puk(2, RecoveryPukStatus.INVALID)]) is None


@pytest.mark.parametrize(
    ("failed", "had_valid_puk", "expected"),
    [
        (0, True, Guess(1, exhausted=False)),
        (3, True, Guess(4, exhausted=False)),
        (4, True, Guess(5, exhausted=True)),
        (4, False, Guess(5, exhausted=False)),
    ],
)
def test_the_code_is_exhausted_by_the_last_allowed_guess(
    failed: int, had_valid_puk: bool, expected: Guess
) -> None:
    assert wrong_guess(failed, 5, had_valid_puk=had_valid_puk) == expected
