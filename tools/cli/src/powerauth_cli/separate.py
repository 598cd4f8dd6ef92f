"""All services as processes of their own, each on a free port, for tests and measurements."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Self

import asyncpg
import httpx2
from sqlalchemy.engine import make_url
from yarl import URL

from powerauth_cli.credentials import ADMINISTRATOR, hashed_password, new_password
from powerauth_cli.integrations import ensure_integration
from powerauth_cli.localservers.programs import free_port
from powerauth_cli.push_api import new_caller
from powerauth_push.callers.rules import EVERYTHING, Scope

_READY_SECONDS = 300


class ServiceProcess:
    """`powerauth serve NAME` as a process of its own.

    :param context_path: under which the service answers
    :param environment: its settings
    :param data: folder of `powerauth run`, which then runs in its place: all services in one process
    """

    def __init__(
        self, name: str, context_path: str, environment: Mapping[str, str], *, data: str = ""
    ) -> None:
        self.name = name
        self.port = free_port()
        self._given = (context_path, environment)
        self._command = ["run", "--port", str(self.port), "--data", data] if data else ["serve", name]
        self.url = f"http://127.0.0.1:{self.port}{context_path}"
        prefix = name.upper()
        self._environment = os.environ | {
            f"{prefix}_PORT": str(self.port),
            f"{prefix}_REQUEST_LOG": "false",
            f"{prefix}_LOG_LEVEL": "WARNING",
            **environment,
        }
        self._process: asyncio.subprocess.Process | None = None

    def replica(self) -> ServiceProcess:
        """Another process of this service with the same settings, not started yet."""
        return ServiceProcess(self.name, *self._given)

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
            *(sys.executable, "-m", "powerauth_cli", *self._command),
            env=self._environment,
            stdout=asyncio.subprocess.DEVNULL if self._command[0] == "run" else None,
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

    async def stop(self) -> int:
        """Ask it to finish and wait for it.

        :return: its exit status; negative: the signal that ended it
        """
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.terminate()
        return await self._process.wait()

    async def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()


class SeparateProcesses:
    """Core, enrollment, cloud and push, one process each, on new databases of a PostgreSQL server.

    :param postgres_url: SQLAlchemy URL of a database on that server
    :param bus_url: AMQP URL; empty: events stay in each process
    :param services: which to start; the others need the core, and use push if it is among them
    :param settings: further settings, environment variables by name
    :param through: SQLAlchemy URL of a database behind a pooler or a proxy in front of that server: services
        work through it, migrations go past it
    :param made_by: what makes of a service's name, context path and settings that which serves
    """

    def __init__(
        self,
        postgres_url: str,
        *,
        bus_url: str = "",
        services: tuple[str, ...] = ("core", "enrollment", "cloud"),
        settings: Mapping[str, str] | None = None,
        through: str = "",
        made_by: Callable[[str, str, Mapping[str, str]], ServiceProcess] = ServiceProcess,
    ) -> None:
        self._made_by = made_by
        self._postgres_url = postgres_url
        self._bus_url = bus_url
        self._wanted = services
        self._settings = dict(settings or {})
        self._through = through
        self.processes: dict[str, ServiceProcess] = {}
        self.admin = ("", "")
        self.rest_credentials = ("", "")
        self.dmz_credentials = ("", "")
        self.core_database_url = ""
        self.cloud_database_url = ""
        self.push_database_url = ""

    @property
    def core_url(self) -> str:
        """The core's address with its context path."""
        return self.processes["core"].url

    @property
    def dmz_url(self) -> str:
        """Where enrollment reaches the core: the port that ``CORE_DMZ_PORT`` names, if the settings do."""
        port = self._settings.get("CORE_DMZ_PORT")
        return self.core_url if not port else str(URL(self.core_url).with_port(int(port)))

    @property
    def enrollment_url(self) -> str:
        """The enrollment service's address with its context path."""
        return self.processes["enrollment"].url

    @property
    def cloud_url(self) -> str:
        """The cloud API's address with its context path."""
        return self.processes["cloud"].url

    @property
    def push_url(self) -> str:
        """The push service's address with its context path."""
        return self.processes["push"].url

    async def push_credentials(self, name: str, scopes: Collection[Scope] = EVERYTHING) -> tuple[str, str]:
        """Those of a new caller of push."""
        key = self._settings.get("PUSH_MASTER_ENCRYPTION_KEY", "")
        return await new_caller(name, scopes, database_url=self.push_database_url, master_encryption_key=key)

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def _start(self) -> None:
        suffix = f"{os.getpid()}_{time.monotonic_ns()}"
        self.core_database_url = await new_database(self._postgres_url, f"core_{suffix}")
        await self._run(
            "core",
            "/powerauth-java-server",
            {
                **self._database("CORE", self.core_database_url),
                "CORE_BUS_URL": self._bus_url,
            },
        )
        self.rest_credentials = await self.core_credentials("bank", "rest")
        self.dmz_credentials = await self.core_credentials("enrollment", "dmz")
        if "push" in self._wanted:
            await self._start_push(suffix)
        if "enrollment" in self._wanted:
            await self._start_enrollment()
        if "cloud" in self._wanted:
            await self._start_cloud(suffix)

    async def _start_push(self, suffix: str) -> None:
        credentials = await self.core_credentials("push", "rest")
        self.push_database_url = await new_database(self._postgres_url, f"push_{suffix}")
        await self._run(
            "push",
            "/powerauth-push-server",
            {
                **self._database("PUSH", self.push_database_url),
                "PUSH_BUS_URL": self._bus_url,
                "PUSH_CORE_URL": self.core_url,
                "PUSH_CORE_USERNAME": credentials[0],
                "PUSH_CORE_PASSWORD": credentials[1],
            },
        )

    async def _start_enrollment(self) -> None:
        environment = {
            "ENROLLMENT_CORE_URL": self.dmz_url,
            "ENROLLMENT_CORE_CLIENT_TOKEN": self.dmz_credentials[0],
            "ENROLLMENT_CORE_CLIENT_SECRET": self.dmz_credentials[1],
        }
        if "push" in self._wanted:
            token, secret = await self.push_credentials("enrollment", {Scope.ENROLLMENT})
            environment |= {
                "ENROLLMENT_PUSH_URL": self.push_url,
                "ENROLLMENT_PUSH_CLIENT_TOKEN": token,
                "ENROLLMENT_PUSH_CLIENT_SECRET": secret,
            }
        await self._run("enrollment", "/enrollment-server", environment)

    async def _start_cloud(self, suffix: str) -> None:
        credentials = await self.core_credentials("cloud", "rest")
        self.admin = (ADMINISTRATOR, new_password())
        self.cloud_database_url = await new_database(self._postgres_url, f"cloud_{suffix}")
        push = await self._cloud_at_push() if "push" in self._wanted else {}
        await self._run(
            "cloud",
            "/powerauth-cloud",
            {
                **self._database("CLOUD", self.cloud_database_url),
                "CLOUD_BUS_URL": self._bus_url,
                "CLOUD_CORE_URL": self.core_url,
                "CLOUD_CORE_USERNAME": credentials[0],
                "CLOUD_CORE_PASSWORD": credentials[1],
                "CLOUD_ADMIN_USERNAME": self.admin[0],
                "CLOUD_ADMIN_PASSWORD_ENCODED": hashed_password(self.admin[1]),
                **push,
            },
        )

    async def _cloud_at_push(self) -> dict[str, str]:
        token, secret = await self.push_credentials("cloud")
        return {
            "CLOUD_PUSH_URL": self.push_url,
            "CLOUD_PUSH_USERNAME": token,
            "CLOUD_PUSH_PASSWORD": secret,
        }

    def _database(self, prefix: str, url: str) -> dict[str, str]:
        way = url if not self._through else _same_database(self._through, url)
        return {
            f"{prefix}_DATABASE_URL": way,
            f"{prefix}_DATABASE_MIGRATE_URL": url,
            f"{prefix}_MIGRATE_ON_START": "true",
        }

    async def core_credentials(self, name: str, door: str) -> tuple[str, str]:
        """Those of a caller of the core."""
        return await ensure_integration(
            name,
            door,
            database_url=self.core_database_url,
            master_encryption_key=self._settings.get("CORE_MASTER_ENCRYPTION_KEY", ""),
        )

    async def _run(self, name: str, context_path: str, environment: dict[str, str]) -> None:
        process = self._made_by(name, context_path, environment | self._settings)
        self.processes[name] = process
        await process.start()

    async def _stop(self) -> None:
        for process in reversed(self.processes.values()):
            await process.stop()


def _same_database(way: str, url: str) -> str:
    """The URL of a way to a server, with the database that another one names."""
    return make_url(way).set(database=make_url(url).database).render_as_string(hide_password=False)


async def new_database(server_url: str, name: str) -> str:
    """Create an empty database.

    :param server_url: SQLAlchemy URL of any database on the server
    :return: SQLAlchemy URL of the new one
    """
    connection = await asyncpg.connect(server_url.replace("+asyncpg", ""))
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
    finally:
        await connection.close()
    return f"{server_url.rpartition('/')[0]}/{name}"
