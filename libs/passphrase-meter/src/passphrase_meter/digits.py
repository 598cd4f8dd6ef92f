"""Digits in equal steps, and groups of them that come again (spec/device-trust.md §6.5)."""

from __future__ import annotations

from collections.abc import Sequence

_MOST_GROUPS = 50


def has_pattern(digits: Sequence[int]) -> bool:
    """Whether runs of equal steps (1234, 9753, 4556) make up too much of a PIN."""
    length = len(digits)
    total = start = 0
    while start < length - 2:
        run, behind = _run(digits, start)
        total += run
        start = behind + 1 if run else start + 1
    return total > _tolerated(length)


def _tolerated(length: int) -> int:
    """Digits in runs that a PIN may have."""
    if length <= 5:
        return 2
    if length <= 8:
        return 3 if length == 6 else 4
    return length // 2


def _run(digits: Sequence[int], start: int) -> tuple[int, int]:
    """How many digits from here belong to a run, none or at least three, and where it ends."""
    step = digits[start + 1] - digits[start]
    stepping = standing = 0
    at = start + 2
    while at < len(digits):
        change = digits[at] - digits[at - 1]
        if change == step:
            stepping += 1 if stepping else 3
        elif change == 0:
            standing += 1
        else:
            break
        at += 1
    return (stepping + standing if stepping else 0), at


def is_repeating(digits: Sequence[int]) -> bool:
    """Whether groups that come again, forwards or backwards, have more digits than there are different ones.

    A PIN in which more than 50 groups had to be looked at is called repeating, as the reference does.
    """
    repeated = tested = 0
    for size in range(2, len(digits) // 2 + 1):
        found, groups = _repeated(digits, size, _MOST_GROUPS - tested)
        repeated += found
        tested += groups
        if tested > _MOST_GROUPS:
            return True
    return repeated > len(set(digits))


def _repeated(digits: Sequence[int], size: int, most: int) -> tuple[int, int]:
    """Digits in groups of this size that come again; how many groups were tested, at most one over `most`."""
    seen: set[tuple[int, ...]] = set()
    repeated = start = 0
    while start + size <= len(digits) - size and len(seen) <= most:
        group = tuple(digits[start : start + size])
        if group in seen:
            break
        seen.add(group)
        again = _comes_again(digits, group, start + size)
        repeated += (again + 1) * size if again else 0
        start += size if again else 1
    return repeated, len(seen)


def _comes_again(digits: Sequence[int], group: tuple[int, ...], start: int) -> int:
    """How often, without overlapping, from there on."""
    times = 0
    wanted = (group, group[::-1])
    while start + len(group) <= len(digits):
        found = tuple(digits[start : start + len(group)]) in wanted
        times += found
        start += len(group) if found else 1
    return times
