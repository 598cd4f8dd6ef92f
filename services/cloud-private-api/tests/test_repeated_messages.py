"""What a bank asks for again under a key is done once (spec/cloud-api.md §9.1, §9.2)."""

from __future__ import annotations

import pytest
from cloud_client import Service
from cloud_fake_push import FakePush

from servicekit.testing import DIALECTS

MESSAGE = {"userId": "user-1", "title": "Payment", "message": "1000 EUR came in"}
INBOX = {"userId": "user-1", "subject": "New terms", "summary": "Please read them", "body": "Nothing is new"}


@pytest.fixture(autouse=True)
def _installation(push: FakePush) -> None:
    push.application("app-a")
    push.application("app-b")


@pytest.mark.parametrize("status", [413, 500])
async def test_a_repeated_message_is_sent_once(pushing: Service, push: FakePush, status: int) -> None:
    """Under a key what failed is told, without one only if nothing was sent."""
    await pushing.user("two", ["app-a", "app-b"])
    keyed = pushing.client("two", **{"Idempotency-Key": "1"})
    push.troubles["app-b"] = status
    assert (await keyed.send("POST", "/v2/messages/send", MESSAGE)).json()["status"] == "ERROR"
    push.troubles.clear()
    await keyed.ok("POST", "/v2/messages/send", MESSAGE)
    assert [app_id for app_id, _ in push.sent] == ["app-a", "app-b"]
    push.troubles["app-a"] = status
    await pushing.client("two").ok("POST", "/v2/messages/send", MESSAGE)
    assert [app_id for app_id, _ in push.sent] == ["app-a", "app-b", "app-b"]


async def test_a_key_is_its_callers_own_and_of_a_bounded_length(pushing: Service, push: FakePush) -> None:
    for name in ("one", "other"):
        await pushing.user(name, ["app-a"])
        await pushing.client(name, **{"Idempotency-Key": "1"}).ok("POST", "/v2/messages/send", MESSAGE)
    assert len(push.sent) == 2
    for key in ("", "k" * 256):
        await pushing.client("one", **{"Idempotency-Key": key}).violation(
            "POST", "/v2/messages/send", MESSAGE
        )


@pytest.mark.parametrize("dialect", DIALECTS, indirect=True)
async def test_a_repeated_message_of_the_inbox_is_one(pushing: Service, push: FakePush) -> None:
    """It may still wait for its announcement, or not."""
    await pushing.user("one", ["app-a"])
    keyed = pushing.client("one", **{"Idempotency-Key": "1"})
    made = [await keyed.ok("POST", "/v2/inbox/messages", INBOX) for _ in range(2)]
    await pushing.cloud.outbox.run_due()
    made.append(await keyed.ok("POST", "/v2/inbox/messages", INBOX))
    await pushing.cloud.outbox.run_due()
    assert made[0] == made[1] == made[2]
    assert (len(push.inbox), len(push.sent)) == (1, 1)
