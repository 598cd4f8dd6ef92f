"""One browser and one bank for all tests; each has a page and authenticators of its own."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

sys.path.insert(0, str(Path(__file__).parent / "support"))

import pytest
from browser_chromium import Chromium, Page, running_chromium
from browser_site import Bank, running_bank


@pytest_asyncio.fixture(scope="session")
async def chromium() -> AsyncIterator[Chromium]:
    """The browser."""
    async with running_chromium() as browser:
        yield browser


@pytest_asyncio.fixture(scope="session")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bank]:
    """The bank, its services and its site."""
    async with running_bank(tmp_path_factory.mktemp("bank") / "data") as bank:
        yield bank


@pytest_asyncio.fixture
async def bank(running: Bank) -> Bank:
    """The bank, with a policy that allows every passkey."""
    await running.set_policy()
    return running


@pytest_asyncio.fixture
async def page(chromium: Chromium) -> AsyncIterator[Page]:
    """An empty page."""
    async with chromium.page() as empty:
        yield empty
