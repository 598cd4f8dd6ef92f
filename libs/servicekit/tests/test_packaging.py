"""What an installation without extras can import, and what starting costs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import servicekit

EXTRAS = {"sqlalchemy", "asyncpg", "aiosqlite", "alembic", "aio_pika", "aiormq", "opentelemetry.sdk"}
NEED_DATABASE = {
    "additions",
    "audit_export.feed",
    "audit_export.printing",
    "audit_export.stream",
    "backup_check",
    "commands",
    "database",
    "database_errors",
    "database_urls",
    "engines",
    "inbox",
    "jobs",
    "key_records",
    "key_rotation",
    "leases",
    "migrations",
    "outbox",
    "partial_indexes",
    "pooler",
    "reads",
    "replicas",
    "row_macs",
    "schema_history",
    "testing",
    "timekeeping",
}
NEED_DRIVER = {"bus.rabbitmq", "pooler", "trace_export"}
"""Imported only by those who use them."""


def _modules() -> set[str]:
    root = Path(servicekit.__file__).parent
    names = {".".join(path.relative_to(root).with_suffix("").parts) for path in root.rglob("*.py")}
    return {name.removesuffix(".__init__") for name in names} - {"__init__"}


def _run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_everything_without_a_database_or_broker_imports_without_extras() -> None:
    modules = sorted(_modules() - NEED_DATABASE - {"bus.rabbitmq", "trace_export"})
    assert {"app", "calls.client", "errors", "answers", "logs", "bus", "bus.memory"} <= set(modules)
    _run(
        "import sys, importlib\n"
        f"for name in {sorted(EXTRAS)}: sys.modules[name] = None\n"
        f"for name in {modules}: importlib.import_module('servicekit.' + name)\n"
    )


def test_heavy_libraries_are_loaded_only_when_used() -> None:
    modules = sorted(_modules() - NEED_DRIVER - {"testing"})
    loaded = _run(
        "import sys, importlib\n"
        f"for name in {modules}: importlib.import_module('servicekit.' + name)\n"
        "print(*sys.modules)"
    ).split()
    assert not {"alembic", "aio_pika", "aiormq", "asyncpg", "opentelemetry.sdk"} & set(loaded)
