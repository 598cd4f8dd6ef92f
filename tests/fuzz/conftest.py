"""The stack in this process, once for all tests of a worker."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

sys.path.insert(0, str(Path(__file__).parent / "support"))

from running_stack import RunningStack

from servicekit.logs import configure_logging


@pytest.fixture(scope="module", autouse=True)
def log() -> Iterator[io.StringIO]:
    """What the services write about bad input; shown when a test fails."""
    stream = io.StringIO()
    before, handlers, level = structlog.get_config(), logging.root.handlers, logging.root.level
    configure_logging("fuzz", "ERROR", stream=stream)
    yield stream
    structlog.configure(**before)
    logging.root.handlers, logging.root.level = handlers, level


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningStack]:
    """All services, without jobs and limits."""
    async with RunningStack(tmp_path_factory.mktemp("stack")) as running:
        yield running
