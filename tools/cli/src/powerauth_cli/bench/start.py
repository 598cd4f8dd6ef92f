"""CPU time from start to ready, and resident memory then."""

from __future__ import annotations

import json
import os
import tempfile
from base64 import b64encode
from collections import defaultdict
from compileall import compile_dir
from importlib.util import find_spec
from statistics import median

from rich.console import Console
from rich.table import Table

from powerauth_cli.bench.target import cpu_seconds, resident_megabytes
from powerauth_cli.localservers import PostgresServer
from powerauth_cli.separate import SeparateProcesses, ServiceProcess

_OURS = (
    *("powerauth_protocol", "powerauth_contracts", "servicekit", "powerauth_sdk", "powerauth_cli"),
    *("powerauth_core", "powerauth_push", "enrollment", "cloud_private_api"),
)


async def measure_start(console: Console, rounds: int, *, as_json: bool) -> None:
    """Start everything `rounds` times on databases that are there already, and print the medians."""
    figures: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    _compile()
    with PostgresServer() as postgres, tempfile.TemporaryDirectory() as folder:
        key = {
            f"{service}_MASTER_ENCRYPTION_KEY": b64encode(os.urandom(16)).decode()
            for service in ("CORE", "PUSH")
        }
        services = ("core", "push", "enrollment", "cloud")
        async with SeparateProcesses(postgres.url, services=services, settings=key) as running:
            together = ServiceProcess("all in one", "/enrollment-server", {}, data=folder)
            await together.start()
            for _ in range(rounds):
                for process in (*running.processes.values(), together):
                    await process.stop()
                    await process.start()
                    figures[process.name].append(_figures(process.pid))
            await together.stop()
    medians = {
        name: [median(column) for column in zip(*pairs, strict=True)] for name, pairs in figures.items()
    }
    if as_json:
        print(json.dumps({name: {"cpu_s": cpu, "memory_mb": size} for name, (cpu, size) in medians.items()}))
        return
    table = Table("", "CPU s until ready", "resident MB")
    for name, (cpu, size) in medians.items():
        table.add_row(name, f"{cpu:.2f}", f"{size:.0f}")
    console.print(table)


def _compile() -> None:
    """Compile what an installation has compiled: a start on sources that changed measures the compiler."""
    for name in _OURS:
        spec = find_spec(name)
        for folder in (spec and spec.submodule_search_locations) or ():
            compile_dir(folder, quiet=1)


def _figures(process: int) -> tuple[float, float]:
    """CPU seconds that a process has used, and megabytes that it holds."""
    return cpu_seconds(process), resident_megabytes(process)
