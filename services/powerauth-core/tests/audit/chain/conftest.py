"""A core with chained audit rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest_asyncio
from core_test_audit import Audit
from core_test_phones import MakePhone

from powerauth_core.container import Core

Chained = Callable[..., Awaitable[list[int]]]


@pytest_asyncio.fixture
async def chained(core: Core, make_phone: MakePhone) -> Chained:
    """Write rows one after another into one chain: ``ids = await chained(5)``."""
    phone = await make_phone()

    async def write(count: int, by: Core | None = None) -> list[int]:
        for _ in range(count):
            assert await Audit(core).signed_by(phone, by)
        return await Audit(core).ids()

    return write
