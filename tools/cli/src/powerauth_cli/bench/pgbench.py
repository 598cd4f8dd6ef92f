"""What the database alone can do, by pgbench."""

from __future__ import annotations

import asyncio
import re
import tempfile
from urllib.parse import urlsplit

from powerauth_cli.bench.scripts import (
    CAREFUL,
    CARELESS,
    FILL_ACTIVATIONS,
    FILL_AUDIT,
    FILL_OPERATIONS,
    FILLED,
    QUICKLY,
    Sample,
    Work,
)
from powerauth_cli.localservers import PostgresServer

_COLUMNS = """
SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'
 AND table_schema = current_schema() AND is_identity = 'NO'
 AND coalesce(column_default, '') NOT LIKE 'nextval%' ORDER BY ordinal_position
"""

_LITERAL = r"coalesce('E' || replace(ltrim(quote_literal({0}), ' E'), ':', '\x3a'), 'NULL')"
"""SQL text of a value; pgbench would take what follows a colon for a variable's name."""


class PgBench:
    """Runs pgbench on the database of a core that has done the work at least once.

    :param database_url: SQLAlchemy URL of the core's database
    """

    def __init__(self, database_url: str) -> None:
        self._url = urlsplit(database_url.replace("+asyncpg", ""))
        self._script = ""

    async def prepare(self, work: Work) -> None:
        """Make the tables and the script.

        :raises RuntimeError: the core has not written a row to take as a sample
        """
        await self._psql(work.prepare)
        rows = {name: await self._row(sample) for name, sample in work.samples.items()}
        count = await self._psql("SELECT count(*) FROM pa_activation WHERE activation_status = 3")
        self._script = work.script.format(activations=count, **rows)

    async def _row(self, sample: Sample) -> str:
        columns = (await self._psql(_COLUMNS.format(table=sample.table))).split()
        literals = " || ', ' || ".join(
            f"$fresh${sample.fresh[name]}$fresh$" if name in sample.fresh else _LITERAL.format(name)
            for name in columns
        )
        values = await self._psql(f"SELECT {literals} FROM {sample.table} WHERE {sample.where} LIMIT 1")  # noqa: S608
        if not values:
            raise RuntimeError(f"no row of {sample.table} to take as a sample")
        return f"({', '.join(columns)}) VALUES ({values})"

    async def run(self, clients: int, seconds: float) -> float:
        """Run the transaction with that many clients.

        :return: transactions a second
        :raises RuntimeError: pgbench failed; the text is its own
        """
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(self._script)
            file.flush()
            output = await self._run(
                PostgresServer.program("pgbench"),
                *("-n", "-M", "prepared", "-c", str(clients), "-j", "2"),
                *("-T", str(max(1, round(seconds))), "-f", file.name),
                *self._connection(),
            )
        rate = re.search(r"tps = ([\d.]+)", output)
        if rate is None:
            raise RuntimeError(f"pgbench printed no result:\n{output}")
        return float(rate[1])

    def _connection(self) -> list[str]:
        return [
            *("-h", self._url.hostname or "127.0.0.1", "-p", str(self._url.port or 5432)),
            *("-U", self._url.username or "postgres", self._url.path.lstrip("/") or "postgres"),
        ]

    async def fill(self, activations: int, operations: int) -> None:
        """Copy an activation until there are so many, and add operations with their audit records, as fast as
        all cores can.
        """
        fills = []
        if activations:
            fills.append(self._fill_activations(activations))
        if operations:
            tables = "pa_operation, pa_operation_application"
            fills.append(self._fill(tables, FILL_OPERATIONS, operations))
            fills.append(self._fill("audit_log", FILL_AUDIT, operations))
        await self._psql(CARELESS)
        await asyncio.gather(*fills)
        await self._psql(CAREFUL)

    async def _fill_activations(self, total: int) -> None:
        columns = (await self._psql(_COLUMNS.format(table="pa_activation"))).split()
        values = [FILLED.get(name, f"a.{name}") for name in columns]
        fill = FILL_ACTIVATIONS.format(columns=", ".join(columns), values=", ".join(values), total="{total}")
        await self._fill("pa_activation", fill, total)

    async def _fill(self, tables: str, fill: str, total: int) -> None:
        await self._psql(QUICKLY.format(tables=tables, fill=fill.format(total=total)))

    async def _psql(self, sql: str) -> str:
        quiet = ("-qAtX", "-v", "ON_ERROR_STOP=1", "-f", "-")
        program = PostgresServer.program("psql")
        return (await self._run(program, *quiet, *self._connection(), given=sql)).strip()

    async def _run(self, *command: object, given: str = "") -> str:
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate(given.encode())
        if process.returncode != 0:
            raise RuntimeError(f"{command[0]} failed:\n{errors.decode(errors='replace')[-2000:]}")
        return output.decode()
