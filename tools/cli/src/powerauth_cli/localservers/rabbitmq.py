"""A private RabbitMQ broker."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from powerauth_cli.localservers.programs import find_or_install, find_program, free_port, private_folder

_FOLDERS = ("/usr/lib/rabbitmq/bin", "/opt/homebrew/opt/rabbitmq/sbin", "/usr/local/opt/rabbitmq/sbin")
_START_SECONDS = 300


class RabbitServer:
    """A RabbitMQ broker on free loopback ports with its data in a temporary folder.

    `stop()` and `start()` may be called repeatedly on one object: the data survives until `close()`,
    as it does when a real broker restarts.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._port_mapper: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self.port = 0
        self._dist_port = 0
        self._epmd_port = 0

    @property
    def url(self) -> str:
        """AMQP URL with the broker's default credentials."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    def start(self) -> Self:
        """Start the broker and wait until it speaks AMQP.

        :raises ProgramMissing: when RabbitMQ is not there.
        :raises RuntimeError: when it does not come up; the text holds the end of its log.
        """
        program = find_or_install(
            "rabbitmq-server", _FOLDERS, apt_package="rabbitmq-server", brew_package="rabbitmq"
        )
        if self._folder is None:
            self._folder = private_folder("powerauth-rabbitmq-", None)
            (self._folder / "enabled_plugins").write_text("[].\n")
            self.port, self._dist_port, self._epmd_port = free_port(), free_port(), free_port()
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
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._folder / "enabled_plugins"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
            "ERL_EPMD_PORT": str(self._epmd_port),
        }
        with (self._folder / "console").open("wb") as console:
            self._process = subprocess.Popen(  # noqa: S603
                [program],
                env=environment,
                stdout=console,
                stderr=console,
                cwd=self._folder,
                start_new_session=True,
            )
        self._wait_until_ready()
        return self

    def stop(self) -> None:
        """Kill the broker at once, keeping its data: what a crash looks like to its clients."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=_START_SECONDS)
            self._process = None

    def close(self) -> None:
        """Stop the broker and its port mapper, and delete its data."""
        self.stop()
        if self._port_mapper is not None:
            self._port_mapper.terminate()
            self._port_mapper.wait(timeout=_START_SECONDS)
            self._port_mapper = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        assert self._folder is not None
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if _speaks_amqp(self.port):
                return
            time.sleep(0.1)
        tail = (self._folder / "console").read_text(errors="replace")[-2000:]
        self.close()
        raise RuntimeError(f"RabbitMQ did not start:\n{tail}")


def _speaks_amqp(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(b"AMQP\x00\x00\x09\x01")
            return connection.recv(1) == b"\x01"
    except OSError:
        return False
