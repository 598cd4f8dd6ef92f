"""A private Redis server."""

import shutil
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from powerauth_cli.localservers.programs import find_or_install, free_port, private_folder

_FOLDERS = ("/usr/bin", "/opt/homebrew/opt/redis/bin", "/usr/local/opt/redis/bin")
_START_SECONDS = 300


class RedisServer:
    """A Redis server on a free loopback port that keeps nothing on disk."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """URL of its first database."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> Self:
        """Start it and wait until it accepts connections.

        :raises ProgramMissing: when Redis is not there.
        :raises RuntimeError: when it does not come up; the text holds the end of its log.
        """
        program = find_or_install("redis-server", _FOLDERS, apt_package="redis-server", brew_package="redis")
        self._folder = private_folder("powerauth-redis-", None)
        self.port = free_port()
        options = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603
                [program, *options, "--dir", self._folder], stdout=log, stderr=log
            )
        self._wait_until_ready()
        return self

    def stop(self) -> None:
        """Stop the server and delete its folder."""
        if self._process is not None:
            self._process.terminate()
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
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        tail = (self._folder / "log").read_text(errors="replace")[-2000:]
        self.stop()
        raise RuntimeError(f"Redis did not start:\n{tail}")
