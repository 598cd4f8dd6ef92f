"""Stacks with settings of their own, run as an operator runs them: in one process, or in one each."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from powerauth_cli.bench.provision import CoreApi
from powerauth_cli.data_folder import Secrets, push_values
from powerauth_cli.demo.bank import Bank
from powerauth_cli.fakes.equipment import Equipment
from powerauth_cli.fakes.handsets import handsets
from powerauth_cli.fakes.phones import FAKE_PHONES
from powerauth_cli.fakes.stack import fake_providers
from powerauth_cli.integrations import ensure_integration
from powerauth_cli.localservers.programs import free_port
from powerauth_cli.push_api import PushApi, new_caller
from powerauth_cli.separate import SeparateProcesses
from servicekit.serving import BackgroundServer
from servicekit.testing import PATIENCE_SECONDS

ONE_PROCESS, SEPARATE = "one process", "separate processes"
DEPLOYMENTS = (ONE_PROCESS, SEPARATE)
NO_LIMITS = {
    "ENROLLMENT_LIMIT_FAILURES_PER_ADDRESS": "0",
    "ENROLLMENT_LIMIT_KEYSTORE_PER_ACTIVATION": "0",
    "ENROLLMENT_LIMIT_STATUS_PER_ACTIVATION": "0",
}
REACHES_THIS_MACHINE = {
    "CORE_ENVIRONMENT": "test",
    "CLOUD_ENVIRONMENT": "test",
    "CORE_EGRESS_ALLOWED_NETWORKS": "127.0.0.0/8",
}
EVERY_SERVICE = ("core", "push", "enrollment", "cloud")
_FIRST_RUN = re.compile(r"administrator (\S+), password (\S+)")


@dataclass(frozen=True)
class Stack:
    """A running stack: addresses, and who may call.

    :ivar phones: address where fake phones tell what they have shown
    """

    enrollment: str
    cloud: str
    admin: tuple[str, str]
    core: CoreApi
    processes: Mapping[str, int]
    push: PushApi
    phones: str
    equipment: Equipment | None = None

    async def equip(self, application_id: str) -> None:
        """See that the application's phones can be rung, which one process does by itself."""
        if self.equipment is not None:
            await self.equipment.equip(application_id)
            return
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await self._is_equipped(application_id):  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.02)

    async def _is_equipped(self, application_id: str) -> bool:
        known = (await self.push.call("GET", "/admin/app/list"))["applicationList"]
        return any(one["appId"] == application_id and one["hms"] for one in known)

    def bank(self) -> Bank:
        """The administrator's client of the cloud API."""
        return Bank(self.cloud, *self.admin)


@contextlib.asynccontextmanager
async def running(deployment: str, folder: Path, settings: Mapping[str, str]) -> AsyncIterator[Stack]:
    """Start a stack.

    :param settings: environment variables of all its processes
    """
    start = _one_process if deployment == ONE_PROCESS else _separate_processes
    async with start(folder, {**NO_LIMITS, **settings}) as stack:
        try:
            yield stack
        finally:
            await stack.core.close()
            await stack.push.close()


@contextlib.asynccontextmanager
async def _one_process(folder: Path, settings: Mapping[str, str]) -> AsyncIterator[Stack]:
    port, data = free_port(), folder / "data"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "powerauth_cli", "run", "--port", str(port), "--data", str(data)),
        env=os.environ | {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"} | dict(settings),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            admin = await _first_run(process)
        reading = asyncio.create_task(_drain(process))
        kept = Secrets.kept(data)
        credentials = await ensure_integration(
            "e2e",
            "rest",
            database_url=f"sqlite+aiosqlite:///{data / 'core.sqlite3'}",
            master_encryption_key=kept.master_encryption_key,
        )
        url = f"http://127.0.0.1:{port}"
        core = CoreApi(f"{url}/powerauth-java-server", credentials)
        push = PushApi(f"{url}/powerauth-push-server", await new_caller("e2e", **push_values(data, kept)))
        processes = dict.fromkeys(("core", "enrollment", "cloud", "push"), process.pid)
        yield Stack(
            *(f"{url}/enrollment-server", f"{url}/powerauth-cloud", admin, core, processes, push),
            phones=url + FAKE_PHONES,
        )
        reading.cancel()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def _first_run(process: asyncio.subprocess.Process) -> tuple[str, str]:
    assert process.stdout is not None
    said = ""
    while line := await process.stdout.readline():
        said += line.decode()
        if "serving" in said and (found := _FIRST_RUN.search(said)):
            return found[1], found[2]
    raise RuntimeError(f"the stack did not start:\n{said[-2000:]}")


async def _drain(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    while await process.stdout.readline():
        pass


@contextlib.asynccontextmanager
async def _separate_processes(_folder: Path, settings: Mapping[str, str]) -> AsyncIterator[Stack]:
    async with fake_providers() as fakes, BackgroundServer(handsets(fakes.phones)) as phones:
        providers = fakes.environment(fakes.authority.ca_file)
        apart = {"CORE_DMZ_PORT": str(free_port())}
        async with SeparateProcesses(
            postgres_url(), services=EVERY_SERVICE, settings={**providers, **apart, **settings}
        ) as started:
            push = PushApi(started.push_url, await started.push_credentials("e2e"))
            yield Stack(
                started.enrollment_url,
                started.cloud_url,
                started.admin,
                CoreApi(started.core_url, started.rest_credentials),
                {name: process.pid for name, process in started.processes.items()},
                push,
                phones.url + FAKE_PHONES,
                Equipment(push, fakes),
            )


def postgres_url() -> str:
    """Address of the test run's PostgreSQL."""
    url = os.environ.get("TEST_POSTGRES_URL")
    assert url, "TEST_POSTGRES_URL is not set; run the tests by `make test`"
    return url
