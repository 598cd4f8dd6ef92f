"""A private PgBouncer in transaction mode."""

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from powerauth_cli.localservers.programs import find_or_install, free_port, private_folder

_FOLDERS = ("/usr/sbin", "/opt/homebrew/opt/pgbouncer/bin", "/usr/local/opt/pgbouncer/bin")
_START_SECONDS = 30


class PgBouncerServer:
    """PgBouncer in front of a PostgreSQL server: each transaction gets any of a few server connections.

    Everything but the pool mode is as it comes; so startup parameters that PgBouncer does not know are
    refused.

    :param postgres_port: of the server, on the loopback interface
    :param server_connections: how many transactions of one database run at the same time
    """

    def __init__(self, postgres_port: int, *, server_connections: int = 4) -> None:
        self._postgres_port = postgres_port
        self._server_connections = server_connections
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the `postgres` database, for asyncpg."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> Self:
        """Start it and wait until it accepts connections.

        :raises ProgramMissing: when PgBouncer is not there.
        :raises RuntimeError: when it does not come up; the text holds the end of its log.
        """
        program = find_or_install("pgbouncer", _FOLDERS, apt_package="pgbouncer", brew_package="pgbouncer")
        owner = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root
        self._folder = private_folder("powerauth-pgbouncer-", owner)
        self.port = free_port()
        configuration = self._folder / "pgbouncer.ini"
        configuration.write_text(self._configuration())
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [program, "-q", configuration], stdout=log, stderr=log, user=owner, cwd=self._folder
            )
        self._wait_until_ready()
        return self

    def close(self) -> None:
        """Stop it and delete its folder."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=_START_SECONDS)
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _configuration(self) -> str:
        return f"""[databases]
* = host=127.0.0.1 port={self._postgres_port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {self.port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {self._server_connections}
max_client_conn = 500
"""

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        assert self._folder is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        tail = (self._folder / "log").read_text(errors="replace")[-2000:]
        self.close()
        raise RuntimeError(f"PgBouncer did not start:\n{tail}")
