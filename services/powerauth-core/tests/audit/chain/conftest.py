"""A core with chained audit rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest_asyncio
from core_test_audit import Audit

from powerauth_core.container import Core


@pytest_asyncio.fixture
async def chained(core: Core, make_phone: Any) -> Callable[..., Awaitable[list[int]]]:
    """Write rows one after another into one chain: ``ids = await chained(5)``."""
    phone = await make_phone()

    async def write(count: int, by: Core | None = None) -> list[int]:
        for _ in range(count):
            assert await Audit(core).signed_by(phone, by)
        return await Audit(core).ids()

    return write
