"""What phones have shown, asked over HTTP."""

from __future__ import annotations

import httpx2
import pytest

from powerauth_cli.fakes import handsets
from powerauth_cli.fakes.phones import FAKE_PHONES, Phones, Shown


@pytest.mark.parametrize(
    ("after", "status"),
    [("0", 200), ("1", 200), ("9" * 18, 200), ("9" * 26, 400), ("9" * 5000, 400), ("-1", 400), ("x", 400)],
)
async def test_what_is_left_out_is_a_count(monkeypatch: pytest.MonkeyPatch, after: str, status: int) -> None:
    monkeypatch.setattr(handsets, "PATIENCE_SECONDS", 0.01)
    phones = Phones()
    phones.show(Shown("fcm", "token", "Hello"))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(handsets.handsets(phones))) as http:
        answer = await http.get(f"http://phones{FAKE_PHONES}/token", params={"after": after})
    assert answer.status_code == status
    if status == 200:
        content = answer.json()
        assert (content["next"], len(content["messages"])) == (1, int(after == "0"))
