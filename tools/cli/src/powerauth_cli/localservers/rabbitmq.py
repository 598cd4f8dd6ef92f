"""A private RabbitMQ broker."""

import os
import signal
import socket
import subprocess

from powerauth_cli.localservers.programs import find_or_install, find_program, free_port, private_folder
from powerauth_cli.localservers.server import LocalServer
from servicekit.tls.contexts import TlsFiles

_FOLDERS = ("/usr/lib/rabbitmq/bin", "/opt/homebrew/opt/rabbitmq/sbin", "/usr/local/opt/rabbitmq/sbin")
_STOP_SECONDS = 300


class RabbitServer(LocalServer):
    """A RabbitMQ broker on free loopback ports with its data in a temporary folder.

    `stop()` and `start()` may be called repeatedly on one object: the data survives until `close()`,
    as it does when a real broker restarts.
    """

    title = "RabbitMQ"

    def __init__(self, tls: TlsFiles | None = None) -> None:
        """:param tls: of a second port, where clients have to show a certificate"""
        super().__init__()
        self._tls = tls
        self._tls_port = 0
        self._port_mapper: subprocess.Popen[bytes] | None = None
        self._dist_port = 0
        self._epmd_port = 0

    @property
    def url(self) -> str:
        """AMQP URL with the broker's default credentials."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    @property
    def tls_url(self) -> str:
        """AMQP URL by TLS; a client's files are added to it."""
        return f"amqps://guest:guest@127.0.0.1:{self._tls_port}/"

    def _launch(self) -> None:
        program = find_or_install(
            "rabbitmq-server", _FOLDERS, apt_package="rabbitmq-server", brew_package="rabbitmq"
        )
        if self._folder is None:
            self._folder = private_folder("powerauth-rabbitmq-", None)
            (self._folder / "enabled_plugins").write_text("[].\n")
            self.port, self._dist_port, self._epmd_port = free_port(), free_port(), free_port()
            if self._tls is not None:
                self._tls_port = free_port()
                (self._folder / "rabbitmq.conf").write_text(_encrypted(self._tls, self._tls_port))
            # Ours from the start: the one that Erlang would start by itself outlives the broker.
            self._port_mapper = subprocess.Popen(  # noqa: S603
                [find_program("epmd", ()) or "epmd", "-port", str(self._epmd_port)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        environment = os.environ | {
            "HOME": str(self._folder),
            "RABBITMQ_NODENAME": f"powerauth{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_CONFIG_FILE": str(self._folder / "rabbitmq"),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
            "ERL_EPMD_PORT": str(self._epmd_port),
        }
        self._run(self._folder, [program], environment=environment)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        os.killpg(process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Stop the broker and its port mapper, and delete its data."""
        super().close()
        if self._port_mapper is not None:
            self._port_mapper.terminate()
            self._port_mapper.wait(timeout=_STOP_SECONDS)
            self._port_mapper = None

    def _is_ready(self) -> bool:
        return _speaks_amqp(self.port)


def _encrypted(tls: TlsFiles, port: int) -> str:
    return f"""listeners.ssl.default = 127.0.0.1:{port}
ssl_options.cacertfile = {tls.authorities}
ssl_options.certfile = {tls.certificate}
ssl_options.keyfile = {tls.key}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
"""


def _speaks_amqp(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"
    except OSError:
        return False
