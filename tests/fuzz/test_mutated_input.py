"""Every reader of wire data on a hundred thousand broken samples: it reads, or refuses as it says it does."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, islice
from random import Random
from typing import Any

import pytest
from enrollment_formats import enrollment_formats
from generated_requests import SCALE
from mutations import Sample, extremes, mutants
from protocol_formats import protocol_formats
from service_formats import service_formats
from wire_formats import WireFormat

pytestmark = pytest.mark.fuzz

FORMATS = [*protocol_formats(), *enrollment_formats(), *service_formats()]
CASES = 100_000 * SCALE
BOX_SECONDS = 20 * SCALE
"""Of processor time for one format; it ends what is much slower than expected."""
_SHARES = sum(wire_format.share for wire_format in FORMATS)


def cases_of(wire_format: WireFormat) -> int:
    """How many this format gets."""
    return round(CASES * wire_format.share / _SHARES) + 1


def refused_as_declared(wire_format: WireFormat, case: Sample, allowed: frozenset[str]) -> bool:
    """Read one case.

    :return: whether it was refused
    :raises AssertionError: what was read is not written and read as the same, or was forged
    """
    try:
        value = wire_format.read(case)
    except wire_format.refusals:
        return True
    if wire_format.write is not None:
        assert wire_format.read(wire_format.write(value)) == value
    if wire_format.sealed:
        assert repr(value) in allowed, "forged"
    return False


@pytest.mark.parametrize("wire_format", FORMATS, ids=str)
def test_a_reader_reads_or_refuses(
    wire_format: WireFormat, record_property: Callable[[str, Any], None]
) -> None:
    allowed: frozenset[str] = frozenset()
    if wire_format.sealed:
        allowed = frozenset(repr(wire_format.read(sample)) for sample in wire_format.samples)
    random = Random(wire_format.name)
    wanted = cases_of(wire_format)
    outcomes: Counter[bool] = Counter()
    end = time.process_time() + BOX_SECONDS
    for case in islice(all_cases(wire_format, random), wanted):
        try:
            outcomes[refused_as_declared(wire_format, case, allowed)] += 1
        except Exception as error:
            pytest.fail(f"{wire_format.name}: {error!r} on {case[:1000]!r}")
        if time.process_time() > end:
            break
    record_property("generated cases", outcomes.total())
    assert outcomes[False], "nothing was accepted: the samples do not fit the reader"
    assert not wire_format.refusals or outcomes[True], "nothing was refused"


def all_cases(wire_format: WireFormat, random: Random) -> Iterator[Sample]:
    """The samples as they are, the extremes, then mutants without end."""
    return chain(wire_format.samples, extremes(wire_format.samples), mutants(wire_format.samples, random))


def test_there_are_a_hundred_thousand_cases() -> None:
    assert sum(map(cases_of, FORMATS)) >= CASES
    assert len({wire_format.name for wire_format in FORMATS}) == len(FORMATS)
