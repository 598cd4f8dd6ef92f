"""Events commit with the change, reach the broker at least once, and wait while it is down."""
# ruff: noqa: PT012 - what raises here is the whole block of a context manager

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import MetaData, func, select, text

from powerauth_contracts import moments
from servicekit import clock, metrics
from servicekit.bus import BusUnavailable, Event
from servicekit.bus.memory import InMemoryBus
from servicekit.database import Database, normalised_url
from servicekit.errors import ServiceError
from servicekit.inbox import forget_before, handle_once, inbox_table
from servicekit.outbox import OutboxRelay, add_event, outbox_table, pending
from servicekit.settings import DatabaseSettings
from servicekit.testing import fresh_database

if TYPE_CHECKING:
    from libs.servicekit.tests.conftest import LayCable


metadata = MetaData()
outbox_table(metadata)
inbox = inbox_table(metadata)

Until = Callable[..., Awaitable[None]]
NEVER = 3600.0
"""A poll that does not come within a test: what arrives was woken."""


class RecordingBus(InMemoryBus):
    """Remembers what was published; refuses while ``down`` and always for ``refused`` subjects."""

    def __init__(self) -> None:
        super().__init__()
        self.published: list[Event] = []
        self.refused: set[str] = set()
        self.down = False

    async def publish(self, event: Event) -> None:
        await asyncio.sleep(0)
        if self.down or event.subject in self.refused:
            raise BusUnavailable("down")
        self.published.append(event)
        await super().publish(event)

    @property
    def subjects(self) -> list[str]:
        return [event.subject for event in self.published]


@pytest.fixture
async def store(database: Database) -> Database:
    async with database.engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    return database


@pytest.fixture
async def bus() -> AsyncGenerator[RecordingBus]:
    recording = RecordingBus()
    await recording.start()
    yield recording
    await recording.close()


async def _write(database: Database, *subjects: str) -> None:
    async with database.transaction() as session:
        for subject in subjects:
            await add_event(session, Event.create("t", "/s", subject, {"text": "é\n", "n": None}))


@pytest.mark.parametrize("pooled", [False, True])
async def test_notifications_are_heard_on_postgresql_unless_a_pooler_is_in_between(
    database_url: str, pooled: bool
) -> None:
    database = Database(database_url, DatabaseSettings(database_transaction_pooler=pooled))
    relay = OutboxRelay(database, InMemoryBus())
    await relay.start()
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert ("outbox listener" in names) is (database.dialect == "postgresql" and not pooled)
    await relay.stop()
    await database.dispose()


async def test_an_event_is_published_after_the_commit_and_then_gone(
    store: Database, bus: RecordingBus, until: Until
) -> None:
    relay = OutboxRelay(store, bus, poll_seconds=NEVER)
    await relay.start()
    sent = Event.create("activation.status_changed", "/powerauth-core", "id", {"text": "é", "n": [1, None]})
    async with store.transaction() as session:
        await add_event(session, sent)
        await asyncio.sleep(0.1)
        assert bus.published == []
    await until(lambda: bus.published)
    assert bus.published == [sent]
    await relay.stop()
    assert await pending(store) == 0


async def test_an_event_of_a_rolled_back_change_is_never_published(
    store: Database, bus: RecordingBus
) -> None:
    with pytest.raises(ServiceError):
        async with store.transaction() as session:
            await add_event(session, Event.create("t", "/s", "x", {}))
            raise ServiceError
    assert await OutboxRelay(store, bus).run_once() == 0


async def test_an_event_of_a_kept_failure_is_published(
    store: Database, bus: RecordingBus, until: Until
) -> None:
    relay = OutboxRelay(store, bus, poll_seconds=NEVER)
    await relay.start()
    with pytest.raises(ServiceError):
        async with store.transaction() as session:
            await add_event(session, Event.create("t", "/s", "counted", {}))
            raise ServiceError(keep_changes=True)
    await until(lambda: bus.subjects == ["counted"])
    await relay.stop()


async def test_events_go_out_in_the_order_they_were_written(store: Database, bus: RecordingBus) -> None:
    await _write(store, *(str(number) for number in range(25)))
    relay = OutboxRelay(store, bus, batch=10)
    assert [await relay.run_once() for _ in range(4)] == [10, 10, 5, 0]
    assert bus.subjects == [str(number) for number in range(25)]


async def test_what_was_written_before_the_start_is_published(
    store: Database, bus: RecordingBus, until: Until
) -> None:
    await _write(store, *(str(number) for number in range(25)))
    relay = OutboxRelay(store, bus, batch=10, poll_seconds=NEVER)
    await relay.start()
    await until(lambda: len(bus.published) == 25)
    await relay.stop()


async def test_unconfirmed_events_stay_and_confirmed_ones_go(store: Database, bus: RecordingBus) -> None:
    await _write(store, "a", "b", "c")
    bus.refused = {"b"}
    relay = OutboxRelay(store, bus)
    with pytest.raises(BusUnavailable):
        await relay.run_once()
    assert bus.subjects == ["a", "c"]
    assert await pending(store) == 1
    bus.refused = set()
    assert await relay.run_once() == 1
    assert bus.subjects == ["a", "c", "b"]


def _oldest(database: Database) -> float:
    labels = {"database": str(database.url.database)}
    return metrics.REGISTRY.get_sample_value("outbox_oldest_seconds", labels) or 0.0


async def test_events_wait_while_the_broker_is_down(store: Database, bus: RecordingBus, until: Until) -> None:
    bus.down = True
    relay = OutboxRelay(store, bus, poll_seconds=0.05)
    await relay.start()
    await _write(store, "a")
    await until(lambda: _oldest(store) > 0)
    assert await pending(store) == 1
    bus.down = False
    await until(lambda: bus.subjects == ["a"])
    await until(lambda: _oldest(store) == 0)
    await relay.stop()
    assert await pending(store) == 0


async def test_several_relays_publish_each_event_and_leave_none(
    store: Database, bus: RecordingBus, until: Until
) -> None:
    relays = [OutboxRelay(store, bus, batch=5, poll_seconds=0.02) for _ in range(3)]
    for relay in relays:
        await relay.start()
    for chunk in range(10):
        await asyncio.gather(*(_write(store, f"{chunk}-{number}") for number in range(5)))

    async def none_left() -> bool:
        return await pending(store) == 0

    await until(none_left)
    for relay in relays:
        await relay.stop()
    assert set(bus.subjects) == {f"{chunk}-{number}" for chunk in range(10) for number in range(5)}


async def test_stopping_finishes_the_batch_at_hand(store: Database, bus: RecordingBus, until: Until) -> None:
    entered, release = asyncio.Event(), asyncio.Event()

    class SlowBus(RecordingBus):
        async def publish(self, event: Event) -> None:
            entered.set()
            await release.wait()
            await super().publish(event)

    slow = SlowBus()
    await slow.start()
    relay = OutboxRelay(store, slow, poll_seconds=NEVER)
    await relay.start()
    await _write(store, "a")
    await entered.wait()
    stopping = asyncio.create_task(relay.stop())
    await asyncio.sleep(0.05)
    assert not stopping.done()
    release.set()
    await stopping
    assert slow.subjects == ["a"]
    assert await pending(store) == 0
    await slow.close()


async def test_a_relay_survives_a_database_outage(
    lay_cable: LayCable, bus: RecordingBus, until: Until, database_settings: DatabaseSettings, tmp_path: Path
) -> None:
    async with fresh_database("postgresql", tmp_path) as url:
        address = normalised_url(url)
        cable = await lay_cable(address.host, address.port)
        direct = Database(url, database_settings)
        cabled = Database(address.set(port=cable.port).render_as_string(False), database_settings)
        async with direct.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        relay = OutboxRelay(cabled, bus, poll_seconds=0.1)
        await relay.start()
        await _write(direct, "before")
        await until(lambda: bus.subjects == ["before"])
        await cable.cut()
        await _write(direct, "during")
        await asyncio.sleep(0.3)
        await cable.mend()
        await until(lambda: "during" in bus.subjects)
        await relay.stop()
        await cabled.dispose()
        await direct.dispose()


OTHER_PROCESS = """
    import asyncio, sys
    from servicekit.bus import Event
    from servicekit.database import Database
    from servicekit.outbox import add_event

    async def main():
        async with Database(sys.argv[1]).transaction() as session:
            await add_event(session, Event.create("t", "/s", "a", {}))

    asyncio.run(main())
"""


async def test_another_process_commit_wakes_the_relay_on_postgresql(
    bus: RecordingBus, until: Until, tmp_path: Path
) -> None:
    async with fresh_database("postgresql", tmp_path) as url:
        mine = Database(url)
        async with mine.engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        relay = OutboxRelay(mine, bus, poll_seconds=NEVER)
        await relay.start()

        async def listening() -> bool:
            async with mine.read() as session:
                query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'outbox listener'"
                return bool(await session.scalar(text(query + " AND datname = current_database()")))

        await until(listening)
        other = await asyncio.create_subprocess_exec(sys.executable, "-c", dedent(OTHER_PROCESS), url)
        assert await other.wait() == 0
        await until(lambda: bus.subjects == ["a"])
        await relay.stop()
        await mine.dispose()


async def test_an_event_is_handled_once_however_often_it_is_delivered(store: Database) -> None:
    event = Event.create("t", "/s", "x", {})
    handled = 0

    async def deliver() -> None:
        nonlocal handled
        async with store.transaction() as session:
            if await handle_once(session, event, "push"):
                handled += 1

    await asyncio.gather(*(deliver() for _ in range(5)))
    await deliver()
    assert handled == 1
    async with store.transaction() as session:
        assert await handle_once(session, event, "cloud")


async def test_a_failed_handling_leaves_the_event_to_the_next_delivery(store: Database) -> None:
    event = Event.create("t", "/s", "x", {})
    with pytest.raises(ServiceError):
        async with store.transaction() as session:
            assert await handle_once(session, event, "push")
            raise ServiceError
    async with store.transaction() as session:
        assert await handle_once(session, event, "push")


async def test_old_inbox_rows_can_be_forgotten(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = Event.create("t", "/s", "old", {}), Event.create("t", "/s", "new", {})
    async with store.transaction() as session:
        monkeypatch.setattr(clock, "now", lambda: moments.from_ms(1_000_000_000_000))
        await handle_once(session, old, "push")
        monkeypatch.undo()
        await handle_once(session, new, "push")
    async with store.transaction() as session:
        assert await forget_before(session, moments.from_ms(1_500_000_000_000)) == 1
        assert await session.scalar(select(func.count()).select_from(inbox)) == 1
