"""Rows that attempts share are written later, by nobody's request."""

from __future__ import annotations

import asyncio
from datetime import datetime
from types import SimpleNamespace
from typing import Any, NoReturn, cast

import pytest

from powerauth_core.verification import repeated
from powerauth_core.verification.jobs import Outcome
from servicekit import logs
from servicekit.errors import Unavailable


async def test_shared_rows_are_written_on_behalf_of_no_request(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = asyncio.Queue[str | None]()

    class Away:
        def turn(self) -> NoReturn:
            seen.put_nowait(logs.correlation_id.get())
            raise Unavailable("the database is away")

    monkeypatch.setattr(repeated, "PAUSE_SECONDS", 0.01)
    attempts = repeated.RepeatedAttempts(cast(Any, Away()), cast(Any, None))
    activation, decision = SimpleNamespace(activation_id="a"), SimpleNamespace(outcome=Outcome.MISMATCH)
    token = logs.correlation_id.set("of one of them")
    for _ in range(2):
        attempts.samples.is_first(cast(Any, activation), "", cast(Any, decision), datetime(2026, 1, 1))
    logs.correlation_id.reset(token)
    assert await seen.get() is None
    await attempts.close()
