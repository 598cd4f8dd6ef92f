"""What is measured: services that this command starts itself, each a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from powerauth_cli.credentials import ensure_integration
from powerauth_cli.localservers import PostgresServer
from powerauth_cli.localservers.programs import free_port

_READY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Target:
    """Addresses and credentials of what is measured.

    :ivar core: the core's context path
    :ivar core_auth: credentials of a `rest` integration
    :ivar enrollment: the enrollment service's context path, if it runs
    :ivar database_url: of the core, if this command started it
    :ivar processes: process id by service, for CPU time
    """

    core: str
    core_auth: tuple[str, str] = field(repr=False)
    enrollment: str = ""
    dmz_auth: tuple[str, str] = field(default=("", ""), repr=False)
    database_url: str = ""
    processes: Mapping[str, int] = field(default_factory=dict)

    def cpu_seconds(self, service: str) -> float:
        """CPU time that a service's process has used, in seconds."""
        fields = Path(f"/proc/{self.processes[service]}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class ServiceProcess:
    """`powerauth serve NAME` as a process of its own."""

    def __init__(self, name: str, context_path: str, environment: Mapping[str, str]) -> None:
        self.name = name
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}{context_path}"
        prefix = name.upper()
        self._environment = os.environ | {
            f"{prefix}_PORT": str(self.port),
            f"{prefix}_REQUEST_LOG": "false",
            f"{prefix}_LOG_LEVEL": "WARNING",
            **environment,
        }
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Start it and wait until it is ready.

        :raises RuntimeError: it ended, or is not ready in time
        """
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "powerauth_cli", "serve", self.name, env=self._environment
        )
        deadline = time.monotonic() + _READY_SECONDS
        async with httpx2.AsyncClient() as http:
            while time.monotonic() < deadline and self._process.returncode is None:
                with contextlib.suppress(httpx2.TransportError):
                    answer = await http.get(f"{self.url}/actuator/health/readiness")
                    if answer.status_code == 200:
                        return
                await asyncio.sleep(0.05)
        await self.stop()
        raise RuntimeError(f"{self.name} did not become ready")

    async def stop(self) -> None:
        """Ask it to finish and wait for it."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()


@contextlib.asynccontextmanager
async def own_target(*, with_enrollment: bool = False) -> AsyncIterator[Target]:
    """Start PostgreSQL with durable commits and the services, one process each; stop all at the end."""
    with PostgresServer(durable=True) as postgres:
        database = {"CORE_DATABASE_URL": postgres.url, "CORE_MIGRATE_ON_START": "true"}
        core = ServiceProcess("core", "/powerauth-java-server", database)
        await core.start()
        started = [core]
        try:
            rest = await ensure_integration(postgres.url, "bench", "rest")
            dmz = await ensure_integration(postgres.url, "bench-dmz", "dmz")
            enrollment = ""
            if with_enrollment:
                settings = {
                    "ENROLLMENT_CORE_URL": core.url,
                    "ENROLLMENT_CORE_CLIENT_TOKEN": dmz[0],
                    "ENROLLMENT_CORE_CLIENT_SECRET": dmz[1],
                    "ENROLLMENT_LIMIT_KEYSTORE_PER_ADDRESS": "0",
                    "ENROLLMENT_LIMIT_KEYSTORE_PER_APPLICATION_KEY": "0",
                    "ENROLLMENT_LIMIT_STATUS_PER_ACTIVATION": "0",
                    "ENROLLMENT_LIMIT_ACTIVATION_CREATE_PER_ADDRESS": "0",
                }
                service = ServiceProcess("enrollment", "/enrollment-server", settings)
                await service.start()
                started.append(service)
                enrollment = service.url
            yield Target(
                core=core.url,
                core_auth=rest,
                enrollment=enrollment,
                dmz_auth=dmz,
                database_url=postgres.url,
                processes={service.name: service.pid for service in started},
            )
        finally:
            for service in reversed(started):
                await service.stop()
