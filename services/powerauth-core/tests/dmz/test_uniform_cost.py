"""What a stranger asks about an activation costs the same work in every state, and if there is none.

Work is counted in statements of the database: what an answer takes is made of those. Only a signature for an
unknown activation is not stored, since strangers could fill the audit with it; its answer waits for a commit
all the same.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from core_test_api import Api
from core_test_phones import MakePhone
from sqlalchemy import event

from powerauth_core.container import Core
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.phone import Phone

if TYPE_CHECKING:
    from dmz.conftest import Door


pytestmark = pytest.mark.dialects("sqlite")
UNKNOWN = "7e0ba60f-bf22-4ff5-b999-2733784e5eaa"
STATES = ("active", "blocked", "removed")

Count = Callable[[], contextlib.AbstractContextManager[list[str]]]


@pytest_asyncio.fixture
async def counted(core: Core) -> Count:
    """Statements of a block, in order: ``with counted() as statements``."""
    # No statements of its own, and no event that has the core forget what it knows between two blocks.
    await core.relay.stop()

    @contextlib.contextmanager
    def count() -> Iterator[list[str]]:
        statements: list[str] = []

        def seen(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
            if not statement.startswith("BEGIN"):
                statements.append(statement)

        event.listen(core.database.engine.sync_engine, "before_cursor_execute", seen)
        yield statements
        event.remove(core.database.engine.sync_engine, "before_cursor_execute", seen)

    return count


Phones = dict[str, tuple[Phone, tuple[str, bytes]]]


@pytest_asyncio.fixture
async def phones(api: Api, door: Door, make_phone: MakePhone) -> Phones:
    """A phone with a token in every state."""
    made = {}
    for state in STATES:
        phone = await make_phone(state, version=ProtocolVersion.V3_2)
        made[state] = phone, await door.token(phone)
    await api.ok("activation/block", activationId=made["blocked"][0].activation_id)
    await api.ok("activation/remove", activationId=made["removed"][0].activation_id)
    return made


def assert_alike(work: dict[str, list[str]]) -> None:
    expected, *_ = work.values()
    assert expected, "nothing was counted"
    assert {name: statements for name, statements in work.items() if statements != expected} == {}


async def test_status(door: Door, phones: Phones, counted: Count) -> None:
    ids = {state: phone.activation_id for state, (phone, _) in phones.items()} | {"unknown": UNKNOWN}
    work, shapes = {}, set()
    for state, activation_id in ids.items():
        with counted() as work[state]:
            answer = await door.api.ok(
                "activation/status", activationId=activation_id, challenge=b64encode(bytes(16))
            )
        shapes.add(tuple((name, len(value or "")) for name, value in sorted(answer.items())))
    assert_alike(work)
    assert len(shapes) == 1


async def test_token(door: Door, phones: Phones, counted: Count) -> None:
    headers = {state: door.header(token, ProtocolVersion.V3_2) for state, (_, token) in phones.items()}
    headers["unknown"] = headers["active"] | {"token_id": UNKNOWN}
    headers["active"]["token_digest"] = b64encode(bytes(32))
    work = {}
    for state, header in headers.items():
        with counted() as work[state]:
            answer = await door.api.ok("token/operation/list", header=header)
        assert answer == {"authenticated": False, "operations": None, "timestamp": None}
    assert_alike(work)


async def test_envelope(door: Door, phones: Phones, counted: Count) -> None:
    work = {}
    for state in (*STATES, "unknown"):
        phone, _ = phones.get(state, phones["active"])
        request, sealed = await door.unsigned(phone)
        if state == "unknown":
            request["encryption"]["activation_id"] = UNKNOWN
        broken = sealed.fields | {"mac": b64encode(bytes(32))}
        request["body"] = b64encode(json.dumps(broken).encode())
        with counted() as work[state]:
            await door.api.error("sealed/user-info", **request)
    assert_alike(work)


async def test_signature(door: Door, phones: Phones, counted: Count) -> None:
    work = {}
    for state in (*STATES, "unknown"):
        phone, _ = phones.get(state, phones["active"])
        request = door.request(phone, "operation/history", b"{}")
        request["header"]["pa_signature"] = b64encode(bytes(32))
        if state == "unknown":
            request["header"]["pa_activation_id"] = UNKNOWN
        with counted() as work[state]:
            answer = await door.api.ok("signed/operation/history", **request)
        assert answer == {"authenticated": False, "operations": None}
    unknown = work.pop("unknown")
    assert_alike(work)
    *reading, writing = unknown
    assert reading == work["active"][: len(reading)]
    assert writing.startswith("UPDATE audit_chain SET position = position")
