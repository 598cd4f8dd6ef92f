"""What stands in front of replicas loses no connection itself: its own mistakes would count as theirs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fault_switch import Switch

from servicekit.serving import bound_socket


@asynccontextmanager
async def named_server(name: bytes) -> AsyncGenerator[int]:
    """Answers each line with its name, until told to stop; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            writer.write(name + b"\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def asked(streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> bytes:
    """Who answers on a connection."""
    reader, writer = streams
    writer.write(b"who?\n")
    return (await reader.readline()).strip()


async def test_connections_that_come_together_all_go_past_a_server_that_is_away() -> None:
    with bound_socket("127.0.0.1", 0) as away:
        async with named_server(b"one") as port, Switch(away.getsockname()[1], port) as switch:
            opening = [asyncio.open_connection("127.0.0.1", switch.port) for _ in range(20)]
            each = await asyncio.gather(*opening)
            assert await asyncio.gather(*[asked(streams) for streams in each]) == [b"one"] * 20
            for _, writer in each:
                writer.close()


async def test_a_kept_connection_goes_on_elsewhere_where_each_request_is_led_by_itself() -> None:
    async with named_server(b"old") as old, named_server(b"new") as new, Switch(old) as switch:
        kept = await asyncio.open_connection("127.0.0.1", switch.port)
        assert await asked(kept) == b"old"
        switch.lead_to(new, cut=False)
        await switch.leave(old, by_request=False)
        assert await asked(kept) == b"old"
        await switch.leave(old, by_request=True)
        assert await asked(kept) == b"new"
        kept[1].close()
