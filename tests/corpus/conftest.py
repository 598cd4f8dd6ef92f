"""The stack in this process with everyone who plays in the corpus, once for all tests of a worker."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

sys.path.insert(0, str(Path(__file__).parent / "support"))
sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz" / "support"))

from corpus_cast import Cast
from running_stack import SETTINGS, RunningStack

from powerauth_core.verification import repeated
from servicekit.logs import configure_logging


@pytest.fixture(scope="module")
def log() -> Iterator[io.StringIO]:
    """Everything that the services write, at the most talkative level."""
    stream = io.StringIO()
    before, handlers, level = structlog.get_config(), logging.root.handlers, logging.root.level
    configure_logging("corpus", "DEBUG", stream=stream)
    yield stream
    structlog.configure(**before)
    logging.root.handlers, logging.root.level = handlers, level


@pytest.fixture(scope="module")
async def cast(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cast]:
    """All services with two banks; spawning is on, and a push service is configured that is not there."""
    enrollment = {
        **SETTINGS["enrollment"],
        "activation_spawn_enabled": True,
        "push_url": "http://127.0.0.1:9",
    }
    settings = {**SETTINGS, "enrollment": enrollment}
    with pytest.MonkeyPatch.context() as patched:
        # Rows that attempts share are written at the end, not beside a request that is watched.
        patched.setattr(repeated, "PAUSE_SECONDS", 86_400.0)
        async with RunningStack(tmp_path_factory.mktemp("stack"), settings) as stack:
            cast = await Cast.create(stack)
            yield cast
            cast.close()
