"""A private PostgreSQL server."""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from powerauth_cli.localservers.programs import find_or_install, free_port, private_folder

_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
_START_SECONDS = 300


class PostgresServer:
    """A PostgreSQL server on a free loopback port with its data in a temporary folder.

    `stop()` and `start()` may be called repeatedly on one object: the data survives until `close()`,
    as it does when a real server crashes.

    :param durable: True keeps fsync and synchronous commits on (measurements); False switches them
        off, since what a test writes need not survive the machine.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the `postgres` database, for asyncpg."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/postgres"

    @staticmethod
    def program(name: str) -> Path:
        """Path of one of PostgreSQL's programs (`postgres`, `pgbench`, `psql` …).

        :raises ProgramMissing: when it cannot be found or installed.
        """
        return find_or_install(name, _FOLDERS, apt_package="postgresql", brew_package="postgresql@17")

    def start(self) -> Self:
        """Create the cluster at the first start, and wait until it accepts connections.

        :raises ProgramMissing: when PostgreSQL is not there.
        :raises RuntimeError: when it does not come up; the text holds the end of its log.
        """
        postgres = self.program("postgres")
        owner = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
        if self._folder is None:
            self._folder = self._create_cluster(owner)
            self.port = free_port()
        data = self._folder / "data"
        settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self._folder),
            "max_connections": "200",
            "shared_buffers": "128MB",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [postgres, "-D", data, *options], stdout=log, stderr=log, user=owner, cwd=self._folder
            )
        self._wait_until_ready()
        return self

    def stop(self) -> None:
        """Stop the server at once, keeping its data: what a crash looks like to its clients."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=_START_SECONDS)
            self._process = None

    def close(self) -> None:
        """Stop the server and delete its data."""
        self.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _create_cluster(self, owner: str | None) -> Path:
        folder = private_folder("powerauth-postgres-", owner)
        options = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        subprocess.run(  # noqa: S603
            [self.program("initdb"), "-D", folder / "data", *options],
            check=True,
            capture_output=True,
            user=owner,
            cwd=folder,
        )
        return folder

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        assert self._folder is not None
        is_ready = self.program("pg_isready")
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            probe = [str(is_ready), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
            if subprocess.run(probe, check=False).returncode == 0:  # noqa: S603
                return
            time.sleep(0.05)
        tail = (self._folder / "log").read_text(errors="replace")[-2000:]
        self.close()
        raise RuntimeError(f"PostgreSQL did not start:\n{tail}")


class StandbyServer(PostgresServer):
    """A second server that follows a primary by streaming replication, and answers reading calls.

    :param primary: running; both together are what a failover switches between
    """

    def __init__(self, primary: PostgresServer) -> None:
        super().__init__()
        self._primary = primary

    def promote(self) -> None:
        """Make it a primary of its own, which can be written to."""
        psql = [str(self.program("psql")), "-X", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        command = [*psql, "-U", "postgres", "-c", "SELECT pg_promote()"]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603

    def _create_cluster(self, owner: str | None) -> Path:
        folder = private_folder("powerauth-standby-", owner)
        source = ("-h", "127.0.0.1", "-p", str(self._primary.port), "-U", "postgres")
        options = ("--write-recovery-conf", "--checkpoint=fast", "--no-sync")
        subprocess.run(  # noqa: S603
            [self.program("pg_basebackup"), "-D", folder / "data", *source, *options],
            check=True,
            capture_output=True,
            user=owner,
            cwd=folder,
        )
        return folder
