"""FI-20: what a stranger asks about a user costs the same work, whether there is such a user or not. Work is
counted in statements of the database, which answers are made of.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from core_test_api import Api, TestApplication
from core_test_browsers import Browser, set_policy
from core_test_passkeys import RP_ID
from core_test_tokens import make_ticket
from sqlalchemy import event

from powerauth_core.container import Core
from powerauth_protocol.common.encoding import b64decode
from powerauth_sdk.authenticator import Authenticator, corrupt

pytestmark = pytest.mark.dialects("sqlite")


@contextlib.contextmanager
def counted(core: Core) -> Iterator[list[str]]:
    """Statements of a block, in order."""
    statements: list[str] = []

    def seen(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if not statement.startswith("BEGIN"):
            statements.append(statement)

    event.listen(core.database.engine.sync_engine, "before_cursor_execute", seen)
    yield statements
    event.remove(core.database.engine.sync_engine, "before_cursor_execute", seen)


async def test_fi20_options_and_failures_cost_the_same(
    core: Core, dmz: Api, application: TestApplication
) -> None:
    await set_policy(core, application.application_id)
    browser = Browser(dmz, application.application_id)
    await browser.register(await make_ticket(core, application.application_id))
    await browser.sign_in(userId="alice")
    # No event that has the core forget what it knows between two blocks.
    await core.relay.stop()
    await browser.begin_sign_in(userId="alice")
    work: dict[str, tuple[list[str], list[str]]] = {}
    for user_id in ("alice", "nobody"):
        with counted(core) as begun:
            options = await browser.begin_sign_in(userId=user_id)
        offered = b64decode(options["publicKey"]["allowCredentials"][0]["id"])
        stranger = Authenticator()
        stranger.register(RP_ID, browser.origin, b"c", b"handle")
        stranger.passkeys[0].id = offered
        forged = Browser(dmz, application.application_id, stranger)
        request = forged.assertion(options, corrupt(forged.sign(options), "signature", -1))
        with counted(core) as answered:
            assert await dmz.error("passkey/assertion", **request) == "ERR_PASSKEY_FAILED"
        work[user_id] = begun, answered
    assert work["alice"] == work["nobody"]
