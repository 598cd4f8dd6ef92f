"""TLS to databases, poolers and brokers, which ask for certificates too: what a URL has to say for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from powerauth_cli.localservers import PgBouncerServer, PostgresServer
from servicekit.authority import Authority
from servicekit.bus import BusUnavailable, Event
from servicekit.bus.rabbitmq import RabbitBus
from servicekit.database import Database, DatabaseUnavailable
from servicekit.settings import DatabaseSettings
from servicekit.testing import PATIENCE_SECONDS, server_url


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def servers(authority: Authority) -> Iterator[dict[str, str]]:
    """PostgreSQL, and PgBouncer in front of it; both ask for certificates, and PgBouncer shows one."""
    tls = authority.issue("server")
    with PostgresServer(tls=tls) as postgres, PgBouncerServer(postgres.port, tls=tls) as pooler:
        yield {"server": postgres.url, "pooler": pooler.url}


@pytest.mark.parametrize("way", ["server", "pooler"])
async def test_a_database_is_reached_with_a_certificate_and_known_by_its_own(
    servers: dict[str, str], authority: Authority, tmp_path: Path, way: str
) -> None:
    own = authority.issue("core", [])
    settings = DatabaseSettings(
        database_transaction_pooler=way == "pooler", database_connect_timeout_seconds=PATIENCE_SECONDS
    )
    root = f"sslmode=verify-full&sslrootcert={own.authorities}"
    shown = f"sslcert={own.certificate}&sslkey={own.key}"
    stranger = f"sslmode=verify-full&sslrootcert={Authority(tmp_path).ca_file}"
    ways = {f"{root}&{shown}": True, root: False, f"{stranger}&{shown}": False, "sslmode=disable": False}
    for query, works in ways.items():
        database = Database(f"{servers[way]}?{query}", settings)
        if works:
            async with database.read() as session:
                encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
                assert await session.scalar(text(encrypted)) is True
        else:
            with pytest.raises(DatabaseUnavailable):
                async with database.read() as session:
                    await session.scalar(text("SELECT 1"))
        await database.dispose()


async def test_a_broker_is_reached_with_a_certificate_alone() -> None:
    url = server_url("TEST_RABBITMQ_TLS_URL")
    for address, works in ((url, True), (url.partition("&")[0], False), (url.partition("?")[0], False)):
        bus = RabbitBus(address)
        await bus.start()
        event = Event.create("test.tls", "test", "x", {})
        if works:
            await bus.publish(event)
        else:
            with pytest.raises(BusUnavailable):
                await bus.publish(event)
        await bus.close()
