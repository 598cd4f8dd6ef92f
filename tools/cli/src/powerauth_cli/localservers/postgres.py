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
_START_SECONDS = 30


class PostgresServer:
    """A PostgreSQL server on a free loopback port with its data in a temporary folder.

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
        """Create the cluster and wait until it accepts connections.

        :raises ProgramMissing: when PostgreSQL is not there.
        :raises RuntimeError: when it does not come up; the text holds the end of its log.
        """
        initdb, postgres = self.program("initdb"), self.program("postgres")
        owner = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
        self._folder = private_folder("powerauth-postgres-", owner)
        data = self._folder / "data"
        subprocess.run(  # noqa: S603
            [initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
            check=True,
            capture_output=True,
            user=owner,
            cwd=self._folder,
        )
        self.port = free_port()
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
        """Stop the server at once and delete its folder."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
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
        self.stop()

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
        self.stop()
        raise RuntimeError(f"PostgreSQL did not start:\n{tail}")
