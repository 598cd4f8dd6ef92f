"""Real processes on real servers, which the tests stop and kill."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

from fault_load import Http


@pytest.fixture
async def http() -> AsyncIterator[Http]:
    """A client for any of the services."""
    client = Http()
    yield client
    await client.close()
