"""Decisions about recovery codes and PUKs, without I/O (spec/core-api.md §8)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from powerauth_contracts.enums import RecoveryCodeStatus, RecoveryPukStatus

_MASK = "XXXXX-XXXXX-XXXXX-"
_SHOWN = 5

USABLE = (RecoveryCodeStatus.CREATED, RecoveryCodeStatus.ACTIVE)
"""A code in these states can be confirmed and counts as the user's postcard."""


class NumberedPuk(Protocol):
    """A PUK with its number and state."""

    puk_index: int
    status: RecoveryPukStatus


_Puk = TypeVar("_Puk", bound=NumberedPuk)


@dataclass(frozen=True, slots=True)
class Guess:
    """What a wrong PUK does to its code.

    :ivar failed_attempts: number of failures after it
    :ivar exhausted: the code is blocked and its current PUK is invalid from now on
    """

    failed_attempts: int
    exhausted: bool


def masked(recovery_code: str) -> str:
    """The form of a recovery code that may be shown: its last five characters."""
    return _MASK + recovery_code[-_SHOWN:]


def current_puk(puks: Iterable[_Puk]) -> _Puk | None:
    """The one PUK that is compared: the valid one with the lowest index; None if none is left."""
    valid = [puk for puk in puks if puk.status is RecoveryPukStatus.VALID]
    return min(valid, key=lambda puk: puk.puk_index, default=None)


def wrong_guess(failed_attempts: int, max_failed_attempts: int, *, had_valid_puk: bool) -> Guess:
    """Count a wrong PUK (spec/core-api.md §8.2 step 4).

    :param failed_attempts: failures before this one
    :param had_valid_puk: whether there was a PUK to compare with
    """
    failed = failed_attempts + 1
    return Guess(failed, exhausted=had_valid_puk and failed >= max_failed_attempts)
