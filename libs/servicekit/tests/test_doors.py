"""A service with two ports for callers and one for operators, all of them TLS, as processes serve it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import httpx2
import pytest

from servicekit.authority import Authority
from servicekit.serving import free_port
from servicekit.testing import PATIENCE_SECONDS, has_said

HEALTHCHECK = Path(__file__).parents[3] / "deploy/images/healthcheck.py"
PROGRAM = """
    import asyncio, sys
    from fastapi import APIRouter
    from servicekit.app import add_door, create_app, serve
    from servicekit.errors import ErrorFamily, fixed
    from servicekit.settings import ServiceSettings

    word = fixed(404, "E", "")
    family = ErrorFamily(lambda c, p: word(c), word, word, word, word, word, word, word)
    first, second = APIRouter(), APIRouter()
    port, second_port, management_port, workers = map(int, sys.argv[1:5])
    folder = sys.argv[5]

    @first.get("/first")
    @second.get("/second")
    async def slow() -> str:
        print("working", flush=True)
        await asyncio.sleep(0.5)
        return "done"

    settings = ServiceSettings(
        port=port, management_port=management_port, management_tls=True, workers=workers,
        tls_certificate_path=f"{folder}/service.crt", tls_key_path=f"{folder}/service.key",
        tls_client_ca_path=f"{folder}/authority.ca.pem", tls_client_names=["inside"],
    )
    app = create_app("t", "1", settings, family, None, [first])
    add_door(app, settings, family, [second], name="t", port=second_port, client_names=["outside"])
    serve(app, settings)
"""


@dataclass
class Service:
    """A running one.

    :ivar first: address for callers inside
    :ivar second: for callers outside
    :ivar management: for operators
    """

    process: asyncio.subprocess.Process
    authority: Authority
    first: str
    second: str
    management: str

    def client(self, name: str = "") -> httpx2.AsyncClient:
        """One that trusts the service; it shows a certificate of this name, if there is one."""
        shown = self.authority.issue(name, [name]) if name else None
        return httpx2.AsyncClient(verify=self.authority.trusting(shown), timeout=PATIENCE_SECONDS)

    async def becomes_ready(self) -> None:
        """Wait until all of it serves. Operators need no certificate."""
        async with asyncio.timeout(PATIENCE_SECONDS), self.client() as client:
            while self.process.returncode is None:
                with suppress(httpx2.TransportError):
                    answer = await client.get(f"{self.management}/actuator/health/readiness")
                    if answer.status_code == 200:
                        return
                await asyncio.sleep(0.02)
        raise RuntimeError("it has ended")


@pytest.fixture(params=[1, 2], ids=["one process", "workers"])
async def service(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Service]:
    authority = Authority(tmp_path)
    authority.issue("service")
    ports = [free_port() for _ in range(3)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", dedent(PROGRAM), *map(str, (*ports, request.param, tmp_path))),
        stdout=asyncio.subprocess.PIPE,
    )
    running = Service(process, authority, *(f"https://127.0.0.1:{port}" for port in ports))
    try:
        await running.becomes_ready()
        yield running
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def test_each_door_has_its_clients_and_paths_and_both_finish_together(service: Service) -> None:
    async with service.client("inside") as inside, service.client("outside") as outside:
        for client, own, other in (
            (inside, service.first, service.second),
            (outside, service.second, service.first),
        ):
            with pytest.raises(httpx2.TransportError):
                await client.get(f"{other}/actuator/health")
            assert (await client.get(f"{own}/actuator/health")).status_code == 200
        assert (await inside.get(f"{service.first}/second")).status_code == 404
        assert (await outside.get(f"{service.second}/first")).status_code == 404
        with pytest.raises(httpx2.TransportError):
            async with service.client() as nobody:
                await nobody.get(f"{service.first}/actuator/health")
        working = [
            asyncio.create_task(client.get(url))
            for client, url in ((inside, f"{service.first}/first"), (outside, f"{service.second}/second"))
        ]
        assert service.process.stdout is not None
        await has_said(service.process.stdout, "working", len(working))
        service.process.terminate()
        assert [(await call).json() for call in working] == ["done", "done"]
        assert await service.process.wait() == 0


@pytest.mark.parametrize("service", [2], indirect=True)
async def test_containers_ask_the_port_of_operators_whether_all_workers_are_ready(service: Service) -> None:
    async def asked(**more: str) -> int:
        port = service.management.rpartition(":")[2]
        settings = {
            "CORE_HOST": "0.0.0.0",
            "CORE_MANAGEMENT_PORT": port,
            "CORE_MANAGEMENT_TLS": "true",
            **more,
        }
        command = (sys.executable, "-I", str(HEALTHCHECK), "CORE")
        return await (await asyncio.create_subprocess_exec(*command, env=os.environ | settings)).wait()

    assert await asked() == 0
    assert await asked(CORE_MANAGEMENT_HOST="127.0.0.1") == 0
    assert await asked(CORE_MANAGEMENT_HOST="127.0.0.2") == 1
    assert await asked(CORE_MANAGEMENT_TLS="false") == 1
    service.process.terminate()
    await service.process.wait()
    assert await asked() == 1
