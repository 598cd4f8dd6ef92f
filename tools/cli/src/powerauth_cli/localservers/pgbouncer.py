"""A private PgBouncer in transaction mode."""

from powerauth_cli.localservers.programs import find_or_install, free_port, private_folder
from powerauth_cli.localservers.server import LocalServer, own_files, unprivileged_owner
from servicekit.tls.contexts import TlsFiles

_FOLDERS = ("/usr/sbin", "/opt/homebrew/opt/pgbouncer/bin", "/usr/local/opt/pgbouncer/bin")


class PgBouncerServer(LocalServer):
    """PgBouncer in front of a PostgreSQL server: each transaction gets any of a few server connections.

    Everything but the pool mode is as it comes; so startup parameters that PgBouncer does not know are
    refused.

    :param postgres_port: of the server, on the loopback interface
    :param server_connections: how many transactions of one database run at the same time
    :param tls: of both ways, certificates asked for and shown
    """

    title = "PgBouncer"

    def __init__(
        self, postgres_port: int, *, server_connections: int = 4, tls: TlsFiles | None = None
    ) -> None:
        super().__init__()
        self._tls = tls
        self._postgres_port = postgres_port
        self._server_connections = server_connections

    @property
    def url(self) -> str:
        """SQLAlchemy URL of the `postgres` database, for asyncpg."""
        return f"postgresql+asyncpg://postgres@127.0.0.1:{self.port}/postgres"

    def _launch(self) -> None:
        program = find_or_install("pgbouncer", _FOLDERS, apt_package="pgbouncer", brew_package="pgbouncer")
        owner = unprivileged_owner()
        self._folder = private_folder("powerauth-pgbouncer-", owner)
        self.port = free_port()
        configuration = self._folder / "pgbouncer.ini"
        tls = "" if self._tls is None else _encrypted(own_files(self._folder, self._tls, owner))
        configuration.write_text(self._configuration() + tls)
        self._run(self._folder, [program, "-q", configuration], owner=owner)

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


def _encrypted(own: TlsFiles) -> str:
    return f"""client_tls_sslmode = verify-ca
client_tls_ca_file = {own.authorities}
client_tls_cert_file = {own.certificate}
client_tls_key_file = {own.key}
server_tls_sslmode = verify-full
server_tls_ca_file = {own.authorities}
server_tls_cert_file = {own.certificate}
server_tls_key_file = {own.key}
"""
