"""Every broken request of the corpus to the public API is refused as declared and leaves nothing behind."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from case_files import Endpoint, endpoints_of
from corpus_cast import Cast
from corpus_run import CorpusRun
from judge import report

ENDPOINTS = endpoints_of("enrollment")


@pytest.fixture(scope="module")
def run(cast: Cast, log: io.StringIO) -> Iterator[CorpusRun]:
    """The corpus of this service."""
    run = CorpusRun(cast, "enrollment", log)
    yield run
    run.close()


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=str)
async def test_broken_requests_are_refused_and_the_right_one_is_not(
    run: CorpusRun, endpoint: Endpoint, record_property: Callable[[str, Any], None]
) -> None:
    cases = [endpoint.valid(), *endpoint.cases()]
    failures = [
        (f"{case.name}\n{request}", answer, problems)
        for case in cases
        for request, answer, problems in [await run.problems(case)]
        if problems
    ]
    record_property("corpus cases", len(cases))
    assert not failures, report(failures)
