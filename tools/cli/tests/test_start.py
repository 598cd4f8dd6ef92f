"""What a start must not load: each of these costs it more than what most starts do with it."""

from __future__ import annotations

import subprocess
import sys

LATE = {
    "aio_pika": "a broker, where one is configured",
    "alembic": "something to migrate",
    "asyncpg": "PostgreSQL",
    "cbor2": "a passkey's first call",
    "fido2": "a passkey's first call",
    "joserfc": "a first token, to make or to read",
    "opentelemetry.sdk": "spans that are sent",
    "redis": "counts that replicas share",
    "rich": "a command that prints tables",
    "sqlalchemy.dialects.postgresql": "PostgreSQL",
}
"""What loads them instead."""


def test_all_in_one_is_put_together_without_what_only_some_installations_use() -> None:
    program = (
        "import sys, powerauth_cli.main, powerauth_cli.all_in_one\n"
        "from servicekit.database import Database\n"
        "Database('sqlite://')\n"
        "print(*sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert set(told.stdout.split()) & LATE.keys() == set()
