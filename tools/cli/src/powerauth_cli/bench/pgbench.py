"""What the database alone can do: the same statements as one verification, by pgbench.

The script locks an activation, steps its counter, inserts an audit row as a verification writes it, and
commits: one prepared transaction, on copies of the core's tables with their columns and indexes. No server
that opens one transaction a request can be faster on this database.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from urllib.parse import urlsplit

from powerauth_cli.localservers import PostgresServer

_SCRIPT = r"""\set number random(1, {rows})
BEGIN;
SELECT * FROM bench_activation WHERE number = :number FOR UPDATE;
UPDATE bench_activation SET counter = counter + 1, ctr_data = 'AAAAAAAAAAAAAAAAAAAAAA==', failed_attempts = 0,
 timestamp_last_used = now() WHERE number = :number;
INSERT INTO bench_audit ({columns}) VALUES ({values});
COMMIT;
"""
_PREPARE = """
DROP TABLE IF EXISTS bench_activation, bench_audit;
CREATE TABLE bench_activation (LIKE pa_activation INCLUDING DEFAULTS INCLUDING INDEXES);
ALTER TABLE bench_activation ADD COLUMN number int UNIQUE;
INSERT INTO bench_activation
 SELECT a.*, row_number() OVER () FROM pa_activation a WHERE activation_status = 3;
CREATE TABLE bench_audit (LIKE pa_signature_audit INCLUDING DEFAULTS INCLUDING INDEXES);
VACUUM ANALYZE bench_activation, bench_audit;
"""
_COLUMNS = """
SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'
 AND table_schema = current_schema() AND column_name <> 'id' ORDER BY ordinal_position
"""

_FILL = """
INSERT INTO pa_activation ({columns})
SELECT {values} FROM (SELECT * FROM pa_activation WHERE activation_status = 3 LIMIT 1) a,
 generate_series((SELECT count(*) + 1 FROM pa_activation), {total}) AS number;
VACUUM ANALYZE pa_activation
"""
_FILLED = {
    "activation_id": "gen_random_uuid()::text",
    "user_id": "'filler-' || number",
    "activation_code": "'FILLED-' || number",
}


class PgBench:
    """Runs pgbench on the database of a core that has verified at least one signature.

    :param database_url: SQLAlchemy URL of the core's database
    """

    def __init__(self, database_url: str) -> None:
        self._url = urlsplit(database_url.replace("+asyncpg", ""))
        self._script = ""

    async def prepare(self) -> None:
        """Copy the active activations and the shape of the audit table into tables of its own."""
        await self._psql(_PREPARE)
        columns = (await self._psql(_COLUMNS.format(table="pa_signature_audit"))).split()
        literals = " || ', ' || ".join(f"quote_nullable({name})" for name in columns)
        values = await self._psql(f"SELECT {literals} FROM pa_signature_audit WHERE valid LIMIT 1")  # noqa: S608
        rows = int(await self._psql("SELECT count(*) FROM bench_activation"))
        self._script = _SCRIPT.format(rows=rows, columns=", ".join(columns), values=values)

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

    async def fill_activations(self, total: int) -> None:
        """Copy an activation under new ids until there are `total`."""
        columns = (await self._psql(_COLUMNS.format(table="pa_activation"))).split()
        values = [_FILLED.get(name, f"a.{name}") for name in columns]
        await self._psql(_FILL.format(columns=", ".join(columns), values=", ".join(values), total=total))

    async def _psql(self, sql: str) -> str:
        statements = [part for command in sql.split(";") if command.strip() for part in ("-c", command)]
        program = PostgresServer.program("psql")
        quiet = ("-qAtX", "-v", "ON_ERROR_STOP=1")
        return (await self._run(program, *quiet, *statements, *self._connection())).strip()

    async def _run(self, *command: object) -> str:
        process = await asyncio.create_subprocess_exec(
            *map(str, command), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        output, errors = await process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"{command[0]} failed:\n{errors.decode(errors='replace')[-2000:]}")
        return output.decode()
