"""Connections through a pooler that gives each transaction another server connection (docs/database.md).

Nothing may be left on a connection between transactions: no prepared statements, no settings. What other
connections set once, when they are opened, is set here at the beginning of each transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg


def pooled_connect_args(time_limits: Mapping[str, str]) -> dict[str, Any]:
    """What the driver and SQLAlchemy need to be told.

    :param time_limits: PostgreSQL's parameters and their values
    """
    limits = {**time_limits, "jit": "off"}
    statements = "".join([f" SET LOCAL {name} = {value};" for name, value in limits.items()])

    class Connection(PooledConnection):
        after_begin = statements

    return {
        "statement_cache_size": 0,
        "prepared_statement_cache_size": 0,
        # The unnamed statement: the driver parses it again in the same message that executes it.
        "prepared_statement_name_func": lambda: "",
        "connection_class": Connection,
    }


class PooledConnection(asyncpg.Connection):  # type: ignore[misc]
    """A connection that begins its transactions with settings of their own.

    :cvar after_begin: SQL text that follows ``BEGIN``, in the same message
    """

    after_begin = ""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # The driver switches JIT off, and on again, around its questions about types: for a whole session.
        self._server_caps: Any = self._server_caps._replace(jit=False)

    async def execute(self, query: str, *arguments: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109 - the driver's
        """As the driver's; a ``BEGIN`` carries the settings along."""
        if not arguments and query.startswith("BEGIN"):
            query = f"{query.rstrip(';')};{self.after_begin}"
        status: str = await super().execute(query, *arguments, timeout=timeout)
        return status
