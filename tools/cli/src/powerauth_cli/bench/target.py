"""What is measured: services that this command starts itself, each a process of its own."""

from __future__ import annotations

import contextlib
import os
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from powerauth_cli.localservers import PostgresServer
from powerauth_cli.separate import SeparateProcesses

_NO_LIMITS = {
    "ENROLLMENT_LIMIT_FAILURES_PER_ADDRESS": "0",
    "ENROLLMENT_LIMIT_KEYSTORE_PER_ACTIVATION": "0",
    "ENROLLMENT_LIMIT_STATUS_PER_ACTIVATION": "0",
    "CORE_DMZ_ATTEMPTS_PER_ACTIVATION_PER_MINUTE": "0",
}


@dataclass(frozen=True, slots=True)
class Target:
    """Addresses and credentials of what is measured.

    :ivar core: the core's context path
    :ivar core_auth: credentials of a `rest` integration
    :ivar enrollment: the enrollment service's context path, if it runs
    :ivar cloud: the cloud API's context path, if it runs, and its administrator
    :ivar database_url: of the core, if this command started it
    :ivar processes: process id by service, for CPU time
    """

    core: str
    core_auth: tuple[str, str] = field(repr=False)
    enrollment: str = ""
    dmz_auth: tuple[str, str] = field(default=("", ""), repr=False)
    cloud: str = ""
    cloud_admin: tuple[str, str] = field(default=("", ""), repr=False)
    database_url: str = ""
    processes: Mapping[str, int] = field(default_factory=dict)

    def cpu(self) -> Counter[str]:
        """CPU seconds that each service's process has used."""
        return Counter({name: cpu_seconds(process) for name, process in self.processes.items()})


def cpu_seconds(process: int) -> float:
    """CPU time that a process and its workers have used, in seconds; 0 where the system does not tell."""
    stat = Path(f"/proc/{process}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    workers = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return own + sum(cpu_seconds(int(worker)) for worker in workers)


def resident_megabytes(process: int | Literal["self"] = "self") -> float:
    """What a process holds in memory now."""
    status = Path(f"/proc/{process}/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(kilobytes) / 1024


@contextlib.asynccontextmanager
async def own_target(
    services: tuple[str, ...] = ("core",), *, bus_url: str = "", workers: int = 1
) -> AsyncIterator[Target]:
    """Start PostgreSQL with durable commits and the services; stop all at the end.

    :param bus_url: AMQP URL; empty: events stay in each process
    :param workers: processes of the core, which need a bus if there are several; the others have one each
    """
    with PostgresServer(durable=True) as postgres:
        # Records are encrypted and the signature audit is chained, as in production.
        core = {
            "CORE_MASTER_ENCRYPTION_KEY": b64encode(os.urandom(16)).decode(),
            "CORE_WORKERS": str(workers),
        }
        async with SeparateProcesses(
            postgres.url, bus_url=bus_url, services=services, settings=_NO_LIMITS | core
        ) as running:
            yield Target(
                core=running.core_url,
                core_auth=running.rest_credentials,
                enrollment=running.enrollment_url if "enrollment" in services else "",
                dmz_auth=running.dmz_credentials,
                cloud=running.cloud_url if "cloud" in services else "",
                cloud_admin=running.admin,
                database_url=running.core_database_url,
                processes={name: process.pid for name, process in running.processes.items()},
            )
