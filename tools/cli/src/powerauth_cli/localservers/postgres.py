"""A private PostgreSQL server."""

import signal
import subprocess
from pathlib import Path

from powerauth_cli.localservers.programs import find_or_install, free_port, private_folder
from powerauth_cli.localservers.server import LocalServer, own_files, unprivileged_owner
from servicekit.tls.contexts import TlsFiles

_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


class PostgresServer(LocalServer):
    """A PostgreSQL server on a free loopback port with its data in a temporary folder.

    `stop()` and `start()` may be called repeatedly on one object: the data survives until `close()`,
    as it does when a real server crashes.

    :param durable: True keeps fsync and synchronous commits on (measurements); False switches them
        off, since what a test writes need not survive the machine.
    :param tls: only who speaks TLS and has a certificate of its authority is let in
    """

    title = "PostgreSQL"

    def __init__(self, *, durable: bool = False, tls: TlsFiles | None = None) -> None:
        super().__init__()
        self._durable = durable
        self._tls = tls

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

    def _launch(self) -> None:
        postgres = self.program("postgres")
        owner = unprivileged_owner()
        if self._folder is None:
            self._folder = self._create_cluster(owner)
            self.port = self.port or free_port()
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
        if self._tls is not None:
            settings |= self._encrypted(data, self._tls, owner)
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._run(self._folder, [postgres, "-D", data, *options], owner=owner)

    @staticmethod
    def _encrypted(data: Path, tls: TlsFiles, owner: str | None) -> dict[str, str]:
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust clientcert=verify-ca\n")
        own = own_files(data, tls, owner)
        return {
            "ssl": "on",
            "ssl_cert_file": str(own.certificate),
            "ssl_key_file": str(own.key),
            "ssl_ca_file": str(own.authorities),
        }

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGQUIT)

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

    def _is_ready(self) -> bool:
        probe = [str(self.program("pg_isready")), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(probe, check=False).returncode == 0  # noqa: S603


class StandbyServer(PostgresServer):
    """A second server that follows a primary by streaming replication, and answers reading calls.

    :param primary: running; both together are what a failover switches between
    :param durable: as for a primary, which it is once it is promoted
    :param port: its own, that of a server which is gone for good; 0: a free one
    """

    def __init__(self, primary: PostgresServer, *, durable: bool = False, port: int = 0) -> None:
        super().__init__(durable=durable)
        self._primary = primary
        self.port = port

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
